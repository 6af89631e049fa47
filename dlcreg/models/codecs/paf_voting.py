"""Growth of animals by the votes of all their detections, so that a link of chance is outvoted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dlcreg.models.codecs.paf_growth import Assembly, Link

WEAKEST = 0.1
"""Share of the mean affinity of an animal's links that a detection's links must have to join."""


class Voting:
    """Growth of assemblies by the detection for which most speaks.

    The detections of an assembly vote for those that they are linked to, with the affinity of the
    link. Where a candidate's link to a keypoint of the assembly leads to another detection of that
    keypoint, it is a vote against the candidate: it belongs there.

    Nodes are counted here from 0 to n - 1, in plain lists: the numbers are too small for arrays.

    Args:
        links: the links of an image.
        edges: pairs of keypoints.
        num_keypoints: number of keypoints K.
        count: detections of a keypoint, M.
    """

    def __init__(
        self, links: Sequence[Link], edges: Iterable[Sequence[int]], num_keypoints: int, count: int
    ) -> None:
        self.links, self.count = links, count
        self.nodes = sorted({node for link in links for node in (link.start, link.stop)})
        self.place = {node: place for place, node in enumerate(self.nodes)}
        self.keypoint = [node // count for node in self.nodes]
        self.ways: list[list[tuple[int, Link]]] = [[] for _ in self.nodes]
        self.cast = [[0.0] * len(self.nodes) for _ in range(num_keypoints)]
        """Affinity of the link from each node to any detection of each keypoint."""
        for link in links:
            start, stop = self.place[link.start], self.place[link.stop]
            self.ways[start].append((stop, link))
            self.ways[stop].append((start, link))
            self.cast[self.keypoint[start]][stop] += link.affinity
            self.cast[self.keypoint[stop]][start] += link.affinity
        self.linked: list[list[int]] = [[] for _ in range(num_keypoints)]
        for a, b in edges:
            self.linked[a].append(b)
            self.linked[b].append(a)

    def ordered(self) -> list[Link]:
        """Return the links in the order of what speaks for them, the best one first.

        For a link speak its own affinity, and each detection that is linked to both of its ends,
        with the product of those two affinities: a link of chance has no such detections.
        """
        start = np.array([self.place[link.start] for link in self.links], np.int64)
        stop = np.array([self.place[link.stop] for link in self.links], np.int64)
        affinity = np.zeros((len(self.nodes), len(self.nodes)))
        affinity[start, stop] = affinity[stop, start] = [link.affinity for link in self.links]
        support = (affinity + affinity @ affinity)[start, stop]
        return [self.links[index] for index in np.argsort(-support, kind="stable").tolist()]

    def extend(self, assembly: Assembly, taken: set[int], majority: bool) -> None:
        """Let an assembly grow until nothing may join it.

        Args:
            assembly: what grows.
            taken: nodes of other assemblies.
            majority: whether a detection must be linked to half of the keypoints that it could be
                linked to, and not too weakly; else one link is enough that is not voted against.
        """
        votes, ballots = [0.0] * len(self.nodes), [0] * len(self.nodes)
        cast = [0.0] * len(self.nodes)
        possible = [0] * len(self.linked)
        free = [place for place, node in enumerate(self.nodes) if node not in taken]
        joining = [self.place[node] for node in assembly.nodes.values()]
        members: list[int] = []
        total, number = 0.0, 0
        while joining:
            for new in joining:
                members.append(new)
                total, number = total + votes[new], number + ballots[new]
                for other, link in self.ways[new]:
                    votes[other] += link.affinity
                    ballots[other] += 1
                keypoint = self.keypoint[new]
                column = self.cast[keypoint]
                free = [node for node in free if self.keypoint[node] != keypoint]
                for node in free:
                    cast[node] += column[node]
                for other in self.linked[keypoint]:
                    possible[other] += 1
            weakest = WEAKEST * total / max(number, 1)
            joining, most = [], 0.0
            for node in free:
                share = votes[node]
                if share <= most or 2 * share <= cast[node]:
                    continue
                could = possible[self.keypoint[node]] if majority else 0
                if 2 * ballots[node] >= could and share >= weakest * could:
                    joining, most = [node], share
        assembly.nodes = {self.keypoint[place]: self.nodes[place] for place in members}
        inside = set(assembly.nodes.values())
        assembly.links = [
            link
            for place in members
            for _, link in self.ways[place]
            if link.start == self.nodes[place] and link.stop in inside
        ]
        assembly.affinity = total
