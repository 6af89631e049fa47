"""Which keypoints of an animal are linked: the edges of a graph."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence

Edge = tuple[int, int]

COMPLETE_LIMIT = 105
"""Edges from which on a complete graph is thinned out; 15 keypoints have as many (DeepLabCut)."""

DEGREE = 6
"""Links of a keypoint, on average, in a graph that was thinned out (DeepLabCut)."""


def complete_graph(num_keypoints: int, seed: int = 0) -> tuple[Edge, ...]:
    """Return all pairs of keypoints or, of 15 keypoints on, some that connect them all.

    As in DeepLabCut, where the complete graph has 105 edges or more, ``ceil(3 K)`` edges are
    drawn, so that a keypoint has six links on average.

    Args:
        num_keypoints: number of keypoints K.
        seed: decides which edges are drawn.
    """
    edges = [(a, b) for a in range(num_keypoints) for b in range(a + 1, num_keypoints)]
    if len(edges) < COMPLETE_LIMIT:
        return tuple(edges)
    chance = random.Random(seed)
    order = list(range(num_keypoints))
    chance.shuffle(order)
    tree = {
        _sorted(order[index], order[chance.randrange(index)]) for index in range(1, num_keypoints)
    }
    others = [edge for edge in edges if edge not in tree]
    more = math.ceil(num_keypoints * DEGREE / 2) - len(tree)
    return tuple(sorted(tree | set(chance.sample(others, more))))


def check_graph(
    edges: Iterable[Sequence[int]], num_keypoints: int, source: str
) -> tuple[Edge, ...]:
    """Return edges as tuples once they are known to link all keypoints.

    Args:
        edges: pairs of indices of keypoints.
        num_keypoints: number of keypoints K.
        source: where the edges are from, for messages.

    Raises:
        ValueError: an edge names a keypoint that does not exist, links one to itself or comes
            twice, or the edges leave a keypoint apart from the others.
    """
    checked: list[Edge] = []
    known: set[Edge] = set()
    for edge in edges:
        a, b = (int(index) for index in edge)
        if not (0 <= a < num_keypoints and 0 <= b < num_keypoints):
            raise ValueError(
                f"{source} has the edge ({a}, {b}), but keypoints are numbered from 0 to "
                f"{num_keypoints - 1}"
            )
        if a == b:
            raise ValueError(f"{source} links keypoint {a} to itself")
        if _sorted(a, b) in known:
            raise ValueError(f"{source} has the edge ({a}, {b}) twice")
        known.add(_sorted(a, b))
        checked.append((a, b))
    alone = sorted(set(range(num_keypoints)) - _reached(checked, 0))
    if alone:
        raise ValueError(
            f"{source} links keypoint {alone[0]} to no path from keypoint 0: every keypoint must "
            "be linked to the others, else animals come in pieces. Add an edge, or take "
            "graph='complete'"
        )
    return tuple(checked)


def twin_edges(edges: Sequence[Edge], twins: Sequence[int]) -> tuple[list[int], list[float]]:
    """Return for each edge the index of the edge between the twins, and its direction.

    Args:
        edges: pairs of keypoints.
        twins: for each keypoint the index of its twin.

    Returns:
        Index of the twin edge, and 1 where it points the same way, -1 where it is stored reversed.

    Raises:
        ValueError: the edge between the twins is not in the graph.
    """
    places = {edge: index for index, edge in enumerate(edges)}
    found, signs = [], []
    for a, b in edges:
        twin = (twins[a], twins[b])
        forward, backward = places.get(twin), places.get(twin[::-1])
        if forward is None and backward is None:
            raise ValueError(
                f"the graph has the edge ({a}, {b}), but not ({twin[0]}, {twin[1]}), which takes "
                "its place in a mirrored image: a flip test needs both. Add the edge, or take "
                "graph='complete' with fewer than 15 keypoints"
            )
        found.append(backward if forward is None else forward)
        signs.append(-1.0 if forward is None else 1.0)
    return [index for index in found if index is not None], signs


def _sorted(a: int, b: int) -> Edge:
    return (a, b) if a < b else (b, a)


def _reached(edges: Sequence[Edge], start: int) -> set[int]:
    """Return the keypoints that paths lead to from `start`."""
    reached, grown = {start}, True
    while grown:
        more = {b for edge in edges for a, b in (edge, edge[::-1]) if a in reached}
        grown = not more <= reached
        reached |= more
    return reached
