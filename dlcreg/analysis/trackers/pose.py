"""SORT with poses."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dlcreg.analysis.trackers.sort import Found, Sort
from dlcreg.registry import TRACKERS
from dlcreg.similarity import object_similarity, sigmas_of

_LEAST = 1 / 3


@TRACKERS.register_module()
class SortPose(Sort):
    """Animals are their keypoints, alike by object keypoint similarity (OKS); see `Sort`.

    Each keypoint moves on by itself; one that is not found moves with the others. The similarity
    is the mean over the keypoints that are known of both, but never over less than a third of
    those that are known of the animal.

    Args:
        threshold: least OKS of an animal and its successor.
        sort: see `Sort`.
    """

    code: ClassVar[str] = "sk"

    def __init__(self, threshold: float = 0.2, **sort: Any) -> None:
        super().__init__(threshold=threshold, **sort)

    def described(self, found: Found) -> np.ndarray:
        """Return the keypoints ``(M, 2 K)``."""
        animals, keypoints, _ = found.keypoints.shape
        return found.keypoints.reshape(animals, 2 * keypoints)

    def completed(self, predicted: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Return the keypoints, those that were not found moved as the others were."""
        off = (found - predicted).reshape(len(found), found.shape[1] // 2, 2)
        known = np.isfinite(off)
        moved = np.where(known, off, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return np.where(np.isfinite(found), found, predicted + np.tile(moved, off.shape[1]))

    def similarity(self, predicted: np.ndarray, found: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Return the OKS ``(T, M)``."""
        points = predicted.reshape(len(predicted), -1, 2)
        poses = found.reshape(len(found), -1, 2)
        known = np.isfinite(points).all(axis=-1)
        sigmas, areas = sigmas_of(self.info), sizes.T**2
        total = object_similarity(poses, points, known, areas, sigmas) * known.sum(axis=1)
        common = np.isfinite(poses).all(axis=-1).astype(float) @ known.T.astype(float)
        return np.asarray(total / np.maximum(common, np.maximum(_LEAST * known.sum(axis=1), 1))).T
