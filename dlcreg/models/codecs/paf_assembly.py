"""Detections of one image put together to animals, on the CPU (Lauer et al., 2022).

A detection is a node, an int: ``keypoint * M + rank``. Links are the matches of the edges of the
graph; animals grow along the best links.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from dlcreg.models.codecs.paf_growth import (
    Assembly,
    Link,
    Neighbours,
    extend_by_links,
    groups,
    neighbours_of,
)
from dlcreg.models.codecs.paf_voting import Voting

Growth = Literal["votes", "links"]
Suppression = Literal["keypoints", "boxes"]


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
        growth: the detection that an animal takes next: the one for which its detections vote
            most (``votes``), see `dlcreg.models.codecs.paf_voting`. Or, as in DeepLabCut, the one
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

    def match(self, found: np.ndarray, affinities: np.ndarray) -> list[Link]:
        """Return the best matching of the detections of each edge (Kuhn, 1955)."""
        count, numbers = found.shape[1], found.sum(axis=1)
        ends = np.array(self.edges, np.int64).reshape(-1, 2)
        both = found[ends[:, 0], :, None] & found[ends[:, 1], None]  # (L, M, M)
        gains = np.where(both, affinities.clip(min=0), 0)
        # Where no two have the same best partner, everyone gets the best one.
        wanted = gains.max(axis=2) > 0 if self.min_affinity > 0 else found[ends[:, 0]]
        matched = (gains.argmax(axis=2)[..., None] == np.arange(count)) & wanted[..., None]
        for edge in np.flatnonzero((matched.sum(axis=1) > 1).any(axis=1)):
            a, b = ends[edge]
            pairs = linear_sum_assignment(gains[edge, : numbers[a], : numbers[b]], maximize=True)
            matched[edge] = False
            matched[edge][pairs] = True
        matched &= gains >= self.min_affinity
        edge, row, column = matched.nonzero()
        nodes = ends[edge] * count + np.stack([row, column], axis=-1)
        return list(map(Link, gains[matched].tolist(), *nodes.T.tolist()))

    def _grow(self, links: list[Link], count: int) -> list[Assembly]:
        """Return assemblies: whole groups of detections first, then along the best links."""
        neighbours = neighbours_of(links)
        assemblies: list[Assembly] = []
        taken: set[int] = set()
        for group in groups(neighbours):
            nodes = {node // count: node for node in group}
            if len(nodes) == len(group) == self.num_keypoints:
                inside = [link for node in group for link in neighbours[node] if link.start == node]
                if self.growth == "votes" and len(inside) < len(self.edges):
                    continue  # a link of chance may hold two animals together
                affinity = sum(link.affinity for link in inside)
                assemblies.append(Assembly(nodes, inside, affinity))
                taken |= group
        if len(assemblies) == self.most:
            return assemblies
        left = [link for link in links if link.start not in taken and link.stop not in taken]
        order, extend = self._growth(left, neighbours, count)
        for link in order:
            if link.start in taken or link.stop in taken:
                continue
            assembly = Assembly()
            assembly.add(link, count)
            extend(assembly, taken, True)
            taken.update(assembly.nodes.values())
            assemblies.append(assembly)
        if self.fuse and self.most is not None and len(assemblies) > self.most:
            assemblies = self._fused(assemblies, links, count)
        for assembly in assemblies:
            if len(assembly.nodes) == self.num_keypoints:
                continue
            extend(assembly, taken, False)
            taken.update(assembly.nodes.values())
        return assemblies

    def _growth(
        self, links: list[Link], neighbours: Neighbours, count: int
    ) -> tuple[list[Link], Callable[[Assembly, set[int], bool], None]]:
        """Return the order in which links start an assembly, and what lets one grow."""
        if self.growth == "votes":
            voting = Voting(links, self.edges, self.num_keypoints, count)
            return voting.ordered(), voting.extend

        def extend(assembly: Assembly, taken: set[int], majority: bool) -> None:
            extend_by_links(assembly, neighbours, taken, count, self.num_keypoints)

        return _best_first(links), extend

    def _fused(self, assemblies: list[Assembly], links: list[Link], count: int) -> list[Assembly]:
        """Return fewer assemblies: parts of animals that a link left over puts together."""
        owner = {
            node: assembly
            for assembly in assemblies
            if len(assembly.nodes) < self.num_keypoints
            for node in assembly.nodes.values()
        }
        used = {link for assembly in assemblies for link in assembly.links}
        for link in _best_first(links):
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
        ordered = sorted(assemblies, key=lambda one: -one.affinity)
        overlaps = self._overlaps(ordered, points)
        kept: list[int] = []
        for index in range(len(ordered)):
            if all(overlaps[other][index] < self.max_overlap for other in kept):
                kept.append(index)
        return [ordered[index] for index in kept]

    def _overlaps(self, assemblies: list[Assembly], points: np.ndarray) -> list[list[float]]:
        """Return the overlap of each assembly with each weaker one, see `suppression`."""
        if self.suppression == "boxes":
            lying = [points[list(one.nodes.values())] for one in assemblies]
            return [[_share_in_both_boxes(one, other) for other in lying] for one in lying]
        places = np.full((len(assemblies), self.num_keypoints, 2), np.nan)
        for place, one in zip(places, assemblies):
            place[list(one.nodes)] = points[list(one.nodes.values())]
        ways = places[:, None] - places
        near = (np.square(ways).sum(axis=-1) < self.radius**2).sum(axis=-1)
        overlaps: list[list[float]] = (near / [len(one.nodes) for one in assemblies]).tolist()
        return overlaps


def _best_first(links: list[Link]) -> list[Link]:
    return sorted(links, key=lambda one: -one.affinity)


def _share_in_both_boxes(first: np.ndarray, second: np.ndarray) -> float:
    low = np.maximum(first.min(axis=0), second.min(axis=0))
    high = np.minimum(first.max(axis=0), second.max(axis=0))
    return min(
        float(((points >= low) & (points <= high)).all(axis=1).mean()) for points in (first, second)
    )
