"""Which predicted animal is which labelled one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcreg.similarity import object_similarity
from dlcreg.structures import Instances, Poses

MIN_SIMILARITY = 1e-6


def match(
    poses: Poses, instances: Instances, sigma: float = 0.1, direct: bool = False
) -> tuple[list[tuple[int, int]], int, int]:
    """Pair predicted with labelled animals as DeepLabCut's evaluation does.

    Predictions, those of the highest mean likelihood first, each take the labelled animal of the
    highest OKS that is still free. The OKS refers to the area of the tight box around the labelled
    keypoints. Where that box is flat, as for an animal along an axis or with one keypoint,
    DeepLabCut matches next to nothing; here it is taken to be a tenth as wide as long at least,
    and the labelled area counts for a single keypoint.

    Args:
        poses: CPU tensors with B = 1.
        instances: numpy, the animals of the image.
        sigma: OKS constant of every keypoint.
        direct: the image shows one animal and is known to: the best prediction is compared with
            it, however far it is off.

    Returns:
        Pairs of indices (prediction, label), the number of labelled animals that no prediction
        took, and the number of predictions that took none and lie in no crowd.
    """
    valid = np.flatnonzero(poses.valid[0].numpy()).tolist()
    labelled = (np.asarray(instances.visibility) > 0) & np.asarray(instances.valid, bool)[:, None]
    animals = np.flatnonzero(labelled.any(-1))
    scores = poses.scores[0].numpy()
    order = sorted(valid, key=lambda index: -float(np.nan_to_num(scores[index]).mean()))
    if direct and len(animals) <= 1:
        pairs = [(int(p), int(n)) for p, n in zip(order[:1], animals, strict=False)]
        return pairs, len(animals) - len(pairs), 0
    if not len(animals) or not len(order):
        return [], len(animals), len(_not_in_crowds(poses, order, instances))
    keypoints = np.asarray(instances.keypoints)[animals]
    areas = _matching_areas(keypoints, labelled[animals], np.asarray(instances.areas)[animals])
    similarity = object_similarity(
        poses.keypoints[0].numpy()[order],
        keypoints,
        labelled[animals],
        areas,
        np.full(keypoints.shape[1], sigma),
    )
    pairs, free = [], np.ones(len(animals), bool)
    for row, prediction in enumerate(order):
        candidates = np.where(free, similarity[row], -1.0)
        best = int(candidates.argmax())
        if candidates[best] > MIN_SIMILARITY:
            free[best] = False
            pairs.append((int(prediction), int(animals[best])))
    taken = {prediction for prediction, _ in pairs}
    rest = [prediction for prediction in order if prediction not in taken]
    return pairs, int(free.sum()), len(_not_in_crowds(poses, rest, instances))


def _not_in_crowds(poses: Poses, rows: Sequence[int], instances: Instances) -> list[int]:
    """Return the predictions of which no crowd holds half of the keypoints that were found."""
    if instances.crowds is None or not len(rows):
        return list(rows)
    boxes = np.asarray(instances.crowds)[:, None, None]  # (C, 1, 1, 4)
    points = poses.keypoints[0, list(rows)].numpy()  # (P, K, 2)
    held = ((points >= boxes[..., :2]) & (points <= boxes[..., :2] + boxes[..., 2:])).all(-1)
    share = held.sum(-1) / np.maximum(np.isfinite(points).all(-1).sum(-1), 1)  # (C, P)
    return [row for row, most in zip(rows, share.max(axis=0), strict=True) if most < 0.5]


def tight_areas(keypoints: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Return the areas ``(N,)`` of the boxes around the labelled keypoints, at least 1.

    Args:
        keypoints: float ``(N, K, 2)``.
        labelled: bool ``(N, K)`` with one True at least in each row.
    """
    return np.maximum(_sides(keypoints, labelled).prod(axis=-1), 1.0)


def _matching_areas(
    keypoints: np.ndarray, labelled: np.ndarray, annotated: np.ndarray
) -> np.ndarray:
    sides = _sides(keypoints, labelled)
    areas = np.maximum(sides.prod(axis=-1), sides.max(axis=-1) ** 2 / 10)
    return np.maximum(np.where(areas > 0, areas, annotated), 1.0)


def _sides(keypoints: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    low = np.where(labelled[..., None], keypoints, np.inf).min(axis=1)
    high = np.where(labelled[..., None], keypoints, -np.inf).max(axis=1)
    return (high - low).astype(np.float64)
