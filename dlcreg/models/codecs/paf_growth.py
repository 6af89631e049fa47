"""Growth of animals along links between detections, on the CPU (Lauer et al., 2022).

A detection is a node, an int: ``keypoint * M + rank``.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


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


Neighbours = Mapping[int, Sequence[Link]]
"""The links of each node."""


def neighbours_of(links: Iterable[Link]) -> Neighbours:
    """Return the links of each node that has some."""
    neighbours: dict[int, list[Link]] = {}
    for link in links:
        neighbours.setdefault(link.start, []).append(link)
        neighbours.setdefault(link.stop, []).append(link)
    return neighbours


def groups(neighbours: Neighbours) -> Iterable[set[int]]:
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


def extend_by_links(
    assembly: Assembly, neighbours: Neighbours, taken: set[int], count: int, most: int
) -> None:
    """Let an assembly grow along the links of its detections, the best one first.

    Args:
        assembly: what grows.
        neighbours: the links of each node.
        taken: nodes of other assemblies.
        count: detections of a keypoint, M.
        most: keypoints of an animal, K.
    """
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
    while waiting and len(inside) < most:
        _, best = heapq.heappop(waiting)
        new = best.stop if best.start in inside else best.start
        if new not in taken and assembly.add(best, count) and new not in inside:
            inside.add(new)
            look_from(new)
