"""Detections of one image put together to animals, on the CPU (Lauer et al., 2022).

A detection is a node, an int: ``keypoint * M + rank``. Links are the matches of the edges of the
graph; animals grow along the best links.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

Growth = Literal["votes", "links"]
Suppression = Literal["keypoints", "boxes"]


class Link(NamedTuple):
    """Two detections that an edge matches."""

    affinity: float
    start: int
    stop: int


@dataclass(eq=False)
class Assembly:
    """Detections that are taken to be one animal.

    Args:
        nodes: the detection of each keypoint that was found.
        links: the links among them.
        affinity: the sum of the links' affinities.
    """

    nodes: dict[int, int] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    affinity: float = 0.0

    def add(self, link: Link, count: int) -> bool:
        """Take a link with its ends, unless it brings a keypoint that is there already.

        Args:
            link: the link.
            count: detections of a keypoint, M.

        Returns:
            Whether the link belongs to the assembly now.
        """
        _, start, stop = link
        ends = {start // count: start, stop // count: stop}
        for keypoint, node in ends.items():
            if self.nodes.get(keypoint, node) != node:
                return False
        self.nodes.update(ends)
        self.links.append(link)
        self.affinity += link.affinity
        return True

    def take(self, other: Assembly) -> None:
        """Take all that another assembly has, which shares no keypoint with this one."""
        self.nodes.update(other.nodes)
        self.links += other.links
        self.affinity += other.affinity


@dataclass(frozen=True)
class Assembler:
    """Puts detections together.

    Args:
        edges: pairs of keypoints.
        num_keypoints: number of keypoints K.
        most: animals to return at most, the largest ones; None for any number.
        min_affinity: of a link.
        min_links: of an animal.
        suppression: what tells that two animals are one: the share of the weaker one's keypoints
            that lie within `radius` of the same keypoint of the stronger one, or, as in
            DeepLabCut, the lesser of the two shares of keypoints inside the intersection of their
            boxes, which takes an animal for another one that it lies on.
        max_overlap: that share from which on the weaker one is left out.
        radius: pixels.
        growth: the detection that an animal takes next: the one to which its links have the largest
            sum of affinities (``votes``), if it is linked to half of the animal's keypoints that
            it could be linked to; so one wrong link is outvoted. Or, as in DeepLabCut, the one
            with the best link.
        fuse: whether incomplete animals are put together along links that were left over, where
            there are more than `most`.
    """

    edges: Sequence[tuple[int, int]]
    num_keypoints: int
    most: int | None = None
    min_affinity: float = 0.05
    min_links: int = 2
    suppression: Suppression = "keypoints"
    max_overlap: float = 0.8
    radius: float = 17.0
    growth: Growth = "votes"
    fuse: bool = True

    def __call__(
        self, keypoints: np.ndarray, found: np.ndarray, affinities: np.ndarray
    ) -> list[Assembly]:
        """Return the animals of one image, those of the highest affinity first.

        Args:
            keypoints: float ``(K, M, 2)``, pixels, the most likely first.
            found: bool ``(K, M)``, which of them are to be used; the first ones of each keypoint.
            affinities: float ``(L, M, M)``, of the pairs of detections that an edge links.
        """
        count = found.shape[1]
        links = self.match(found, affinities)
        assemblies = self._grow(links, count)
        assemblies = [one for one in assemblies if len(one.links) >= self.min_links]
        kept = self._suppress(assemblies, keypoints.reshape(-1, 2))
        if self.most is not None and len(kept) > self.most:
            kept = sorted(kept, key=lambda one: len(one.nodes), reverse=True)[: self.most]
        return kept

    @cached_property
    def _linked(self) -> dict[int, set[int]]:
        """The keypoints that edges link to each keypoint."""
        linked: dict[int, set[int]] = {}
        for a, b in self.edges:
            linked.setdefault(a, set()).add(b)
            linked.setdefault(b, set()).add(a)
        return linked

    def match(self, found: np.ndarray, affinities: np.ndarray) -> list[Link]:
        """Return the best matching of the detections of each edge (Kuhn, 1955)."""
        count = found.shape[1]
        numbers = found.sum(axis=1)
        links = []
        for (a, b), affinity in zip(self.edges, affinities):
            part = affinity[: numbers[a], : numbers[b]]
            for row, column in zip(*linear_sum_assignment(part, maximize=True)):
                if part[row, column] >= self.min_affinity:
                    links.append(
                        Link(
                            float(part[row, column]), a * count + int(row), b * count + int(column)
                        )
                    )
        return links

    def _grow(self, links: list[Link], count: int) -> list[Assembly]:
        """Return assemblies: whole groups of detections first, then along the best links."""
        neighbours: dict[int, list[Link]] = {}
        for link in links:
            neighbours.setdefault(link.start, []).append(link)
            neighbours.setdefault(link.stop, []).append(link)
        assemblies: list[Assembly] = []
        taken: set[int] = set()
        for group in _components(neighbours):
            nodes = {node // count: node for node in group}
            if len(nodes) == len(group) == self.num_keypoints:
                inside = [link for node in group for link in neighbours[node] if link.start == node]
                affinity = sum(link.affinity for link in inside)
                assemblies.append(Assembly(nodes, inside, affinity))
                taken |= group
        if len(assemblies) == self.most:
            return assemblies
        for link in sorted(links, key=lambda one: -one.affinity):
            if link.start in taken or link.stop in taken:
                continue
            assembly = Assembly()
            assembly.add(link, count)
            self._extend(assembly, neighbours, taken, count, majority=True)
            taken.update(assembly.nodes.values())
            assemblies.append(assembly)
        if self.fuse and self.most is not None and len(assemblies) > self.most:
            assemblies = self._fused(assemblies, links, count)
        for assembly in assemblies:
            self._extend(assembly, neighbours, taken, count)
            taken.update(assembly.nodes.values())
        return assemblies

    def _extend(
        self,
        assembly: Assembly,
        neighbours: dict[int, list[Link]],
        taken: set[int],
        count: int,
        majority: bool = False,
    ) -> None:
        """Let an assembly grow along the links of its detections, the best one first."""
        if self.growth == "votes":
            self._extend_by_votes(assembly, neighbours, taken, count, majority)
            return
        inside = set(assembly.nodes.values())
        waiting: list[tuple[float, Link]] = []
        seen = set(assembly.links)

        def look_from(node: int) -> None:
            for link in neighbours.get(node, ()):
                if link not in seen:
                    seen.add(link)
                    heapq.heappush(waiting, (-link.affinity, link))

        for node in tuple(inside):
            look_from(node)
        while waiting and len(inside) < self.num_keypoints:
            _, best = heapq.heappop(waiting)
            new = best.stop if best.start in inside else best.start
            if new not in taken and assembly.add(best, count) and new not in inside:
                inside.add(new)
                look_from(new)

    def _extend_by_votes(
        self,
        assembly: Assembly,
        neighbours: dict[int, list[Link]],
        taken: set[int],
        count: int,
        majority: bool,
    ) -> None:
        votes: dict[int, float] = {}
        ballots: dict[int, list[Link]] = {}

        def let_vote(node: int) -> None:
            for link in neighbours.get(node, ()):
                other = link.stop if link.start == node else link.start
                if other not in taken and other // count not in assembly.nodes:
                    votes[other] = votes.get(other, 0.0) + link.affinity
                    ballots.setdefault(other, []).append(link)

        for node in tuple(assembly.nodes.values()):
            let_vote(node)

        def may_join(node: int) -> bool:
            possible = len(self._linked[node // count] & assembly.nodes.keys())
            return not majority or 2 * len(ballots[node]) >= possible

        while votes:
            _, new = max(
                ((share, node) for node, share in votes.items() if may_join(node)),
                default=(0.0, -1),
            )
            if new < 0:
                return
            for link in ballots[new]:
                assembly.add(link, count)
            for other in [node for node in votes if node // count == new // count]:
                del votes[other]
            let_vote(new)

    def _fused(self, assemblies: list[Assembly], links: list[Link], count: int) -> list[Assembly]:
        """Return fewer assemblies: parts of animals that a link left over puts together."""
        owner = {
            node: assembly
            for assembly in assemblies
            if len(assembly.nodes) < self.num_keypoints
            for node in assembly.nodes.values()
        }
        used = {link for assembly in assemblies for link in assembly.links}
        for link in links:
            one, other = owner.get(link.start), owner.get(link.stop)
            if link in used or one is None or other is None or one is other:
                continue
            if one.nodes.keys() & other.nodes.keys():
                continue
            one.take(other)
            one.add(link, count)
            assemblies.remove(other)
            owner.update(dict.fromkeys(other.nodes.values(), one))
        return assemblies

    def _suppress(self, assemblies: list[Assembly], points: np.ndarray) -> list[Assembly]:
        """Return the assemblies, the strongest first, without those that repeat a stronger one."""
        kept: list[Assembly] = []
        for assembly in sorted(assemblies, key=lambda one: -one.affinity):
            if all(self._overlap(one, assembly, points) < self.max_overlap for one in kept):
                kept.append(assembly)
        return kept

    def _overlap(self, strong: Assembly, weak: Assembly, points: np.ndarray) -> float:
        if self.suppression == "boxes":
            return _share_in_both_boxes(*(points[list(o.nodes.values())] for o in (strong, weak)))
        shared = strong.nodes.keys() & weak.nodes.keys()
        ways = [points[strong.nodes[k]] - points[weak.nodes[k]] for k in shared]
        near = sum(float(x * x + y * y) < self.radius**2 for x, y in ways)
        return near / len(weak.nodes)


def _components(neighbours: dict[int, list[Link]]) -> Iterable[set[int]]:
    """Yield the groups of nodes that links connect."""
    left = set(neighbours)
    while left:
        first = min(left)
        group, waiting = {first}, [first]
        while waiting:
            node = waiting.pop()
            for _, start, stop in neighbours[node]:
                end = stop if start == node else start
                if end not in group:
                    group.add(end)
                    waiting.append(end)
        left -= group
        yield group


def _share_in_both_boxes(first: np.ndarray, second: np.ndarray) -> float:
    low = np.maximum(first.min(axis=0), second.min(axis=0))
    high = np.minimum(first.max(axis=0), second.max(axis=0))
    return min(
        float(((points >= low) & (points <= high)).all(axis=1).mean()) for points in (first, second)
    )
