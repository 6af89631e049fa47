"""How far the poses of an exported file are from those of the model itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from dlcreg.structures import Poses


@dataclass(frozen=True)
class Deviation:
    """Differences over some images.

    Args:
        images: their number.
        largest: of a keypoint, pixels.
        mean: over keypoints that both found, pixels.
        score: largest difference of a likelihood.
        unmatched: animals, or keypoints of matched ones, that only one of the two found.
    """

    images: int
    largest: float
    mean: float
    score: float
    unmatched: int


def deviation(pairs: Iterable[tuple[Poses, Poses]]) -> Deviation:
    """Compare poses image by image.

    Animals are matched so that the mean distance is least.

    Args:
        pairs: of the same images, in pixels, B = 1 on the CPU.
    """
    ways: list[np.ndarray] = []
    scores: list[np.ndarray] = []
    images = unmatched = 0
    for one, other in pairs:
        images += 1
        (a, p), (b, q) = _animals(one), _animals(other)
        unmatched += abs(len(a) - len(b))
        far = np.linalg.norm(a[:, None] - b[None], axis=-1)
        cost = np.nan_to_num(far, nan=_FAR).mean(axis=-1) if far.size else np.empty((0, 0))
        for i, j in zip(*linear_sum_assignment(cost), strict=True):
            both = np.isfinite(far[i, j])
            unmatched += int((np.isfinite(a[i, :, 0]) != np.isfinite(b[j, :, 0])).sum())
            ways.append(far[i, j][both])
            scores.append(np.abs(p[i] - q[j]))
    way = np.concatenate(ways) if ways else np.empty(0)
    score = np.concatenate(scores) if scores else np.empty(0)
    return Deviation(
        images,
        float(way.max(initial=0.0)),
        float(way.mean()) if len(way) else 0.0,
        float(score.max(initial=0.0)),
        unmatched,
    )


_FAR = 1e6  # pixels, between keypoints of which one was not found


def _animals(poses: Poses) -> tuple[np.ndarray, np.ndarray]:
    valid = poses.valid[0]
    return poses.keypoints[0, valid].float().numpy(), poses.scores[0, valid].float().numpy()
