"""The edges of a graph that tell animals apart best, chosen on labels (Lauer et al., 2022).

Detections are given to the labelled animals that they lie on. An edge tells animals apart as well
as its affinities within animals exceed those between animals: the area under the ROC curve (AUC).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dlcreg.models.codecs.paf_graph import Edge
from dlcreg.models.codecs.paf_growth import Assembly

Assemble = Callable[["Seen", Sequence[int]], Sequence[Assembly]]


@dataclass(frozen=True)
class Seen:
    """What was found in a labelled image.

    Args:
        keypoints: float ``(K, M, 2)``, detections in pixels.
        used: bool ``(K, M)``, which of them are to be put together.
        affinities: float ``(L, M, M)``.
        owners: int ``(K, M)``, the labelled animal that a detection lies on; -1 for none.
        labelled: number of labelled keypoints.
    """

    keypoints: np.ndarray
    used: np.ndarray
    affinities: np.ndarray
    owners: np.ndarray
    labelled: int


def owners_of(
    keypoints: np.ndarray, found: np.ndarray, labels: np.ndarray, known: np.ndarray, radius: float
) -> np.ndarray:
    """Return the animal ``(K, M)`` that each detection lies on, -1 for none.

    Args:
        keypoints: float ``(K, M, 2)``, detections in pixels.
        found: bool ``(K, M)``.
        labels: float ``(N, K, 2)``, pixels.
        known: bool ``(N, K)``.
        radius: pixels within which a detection lies on a labelled keypoint.
    """
    if not len(labels):
        return np.full(found.shape, -1)
    ways = keypoints[None] - np.where(known[..., None], labels, np.inf)[:, :, None]
    distance = np.linalg.norm(ways, axis=-1)  # (N, K, M)
    near = found & (distance.min(axis=0) <= radius)
    return np.where(near, distance.argmin(axis=0), -1)


def separabilities(images: Iterable[Seen], edges: Sequence[Edge]) -> np.ndarray:
    """Return the AUC ``(L,)`` of each edge; 0.5 where there is nothing to tell apart."""
    within: list[list[np.ndarray]] = [[] for _ in edges]
    between: list[list[np.ndarray]] = [[] for _ in edges]
    for image in images:
        for index, (a, b) in enumerate(edges):
            start, stop = image.owners[a][:, None], image.owners[b][None]
            both = (start >= 0) & (stop >= 0)
            within[index].append(image.affinities[index][both & (start == stop)])
            between[index].append(image.affinities[index][both & (start != stop)])
    return np.array(
        [_auc(np.concatenate(high), np.concatenate(low)) for high, low in zip(within, between)]
    )


def _auc(high: np.ndarray, low: np.ndarray) -> float:
    """Return how probably a value of `high` exceeds one of `low`; ties count a half."""
    if not len(high) or not len(low):
        return 0.5
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, side="left") + np.searchsorted(ordered, high, "right")
    return float(below.mean() / (2 * len(low)))


def spanning_tree(edges: Sequence[Edge], values: np.ndarray) -> list[int]:
    """Return the indices of the edges that link all keypoints at the largest sum of values."""
    group: dict[int, int] = {keypoint: keypoint for edge in edges for keypoint in edge}
    tree = []
    for index in np.argsort(-values, kind="stable").tolist():
        one, other = (group[keypoint] for keypoint in edges[index])
        if one != other:
            tree.append(index)
            group = {key: one if value == other else value for key, value in group.items()}
    return tree


def candidates(edges: Sequence[Edge], values: np.ndarray, steps: int = 10) -> list[list[int]]:
    """Return graphs as indices of edges: the best tree, then with more of the best edges to all."""
    tree = spanning_tree(edges, values)
    order = np.argsort(-values, kind="stable").tolist()
    others = [index for index in order if index not in set(tree)]
    sizes = np.unique(np.linspace(0, len(others), steps).round().astype(int))
    return [sorted(tree + others[:size]) for size in sizes]


def quality(images: Iterable[Seen], assemble: Assemble, edges: Sequence[int]) -> float:
    """Return ``(1 - missed) * purity`` of the animals that are put together along some edges.

    Missed is the share of the labelled keypoints of which no animal has a detection, purity the
    share of the assembled detections that lie on the animal on which most of theirs do.
    """
    labelled = assembled = pure = 0
    for image in images:
        labelled += image.labelled
        owners = image.owners.flatten()
        for assembly in assemble(image, edges):
            lying = owners[list(assembly.nodes.values())]
            lying = lying[lying >= 0]
            assembled += len(lying)
            pure += int(np.bincount(lying).max()) if len(lying) else 0
    if not labelled or not assembled:
        return 0.0
    return assembled / labelled * (pure / assembled)


@dataclass(frozen=True)
class Selection:
    """Edges that were chosen.

    Args:
        kept: their indices.
        separability: AUC ``(L,)`` of all edges.
        quality: of the graph, see `quality`.
        of_all: the same, of all edges.
    """

    kept: list[int]
    separability: np.ndarray
    quality: float
    of_all: float


def select(images: Sequence[Seen], edges: Sequence[Edge], assemble: Assemble) -> Selection:
    """Return the candidate graph of the best quality; of equal ones, that of the fewest edges.

    Where nothing is found along any of them, as after too short a training, all edges.

    Args:
        images: labelled images of the training part.
        edges: pairs of keypoints.
        assemble: puts the detections of an image together along the edges of some indices.
    """
    values = separabilities(images, edges)
    graphs = candidates(edges, values)
    qualities = [quality(images, assemble, graph) for graph in graphs]
    best = int(np.argmax(qualities)) if max(qualities) else -1
    return Selection(graphs[best], values, qualities[best], qualities[-1])
