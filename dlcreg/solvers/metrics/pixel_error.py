"""Distances in pixels: what laboratories compare."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlcreg.contracts import Metric
from dlcreg.registry import METRICS
from dlcreg.solvers.metrics.matching import match
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses


@METRICS.register_module()
class PixelError(Metric):
    """Distance between predicted and labelled keypoints, in pixels of the original images.

    ``mean_error_px`` is the mean Euclidean distance, which DeepLabCut calls "rmse" (Mathis et
    al., 2018); ``rmse_px`` is the square root of the mean squared distance. The keys that end in
    ``_pcutoff`` leave out predictions of a likelihood below `pcutoff`. All are means over the
    labelled keypoints of all images.

    An image of a single-animal data set compares its best prediction with its label. With several
    animals, predictions and labels are matched as DeepLabCut does (see
    `dlcreg.solvers.metrics.matching.match`); what stays unmatched has no distance, and tells of
    itself beside the means, which DeepLabCut leaves out: ``missed_rate`` is the share of labelled
    animals that no prediction was matched with, ``false_rate`` the share of predicted animals that
    are none. A mean over the matched ones says little where these are not near 0.

    The table ``counts`` has ``missed_animals``, ``false_animals`` and ``missed_keypoints``
    (labelled, but not found in a matched animal).

    Args:
        pcutoff: likelihood from which on a prediction counts for the ``_pcutoff`` keys.
    """

    higher_is_better = False

    def __init__(self, pcutoff: float = 0.6) -> None:
        if not 0 <= pcutoff <= 1:
            raise ValueError(f"pcutoff={pcutoff:g}: a likelihood lies between 0 and 1")
        self.pcutoff = pcutoff

    @property
    def keys(self) -> tuple[str, ...]:
        """The four means, and the two shares."""
        means = ("mean_error_px", "rmse_px", "mean_error_px_pcutoff", "rmse_px_pcutoff")
        return (*means, "missed_rate", "false_rate")

    def reset(self, info: DatasetInfo) -> None:
        """Forget all images."""
        self._names = info.keypoint_names
        self._single = info.num_individuals == 1
        self._distances: list[np.ndarray] = []  # (K,) for each animal; NaN where not labelled
        self._scores: list[np.ndarray] = []
        self._counts = {"missed_animals": 0, "false_animals": 0, "missed_keypoints": 0}

    def update(self, poses: Poses, instances: Instances, meta: Meta) -> None:
        """Add one image."""
        pairs, missed, false = match(poses, instances, direct=self._single)
        self._counts["missed_animals"] += missed
        self._counts["false_animals"] += false
        for prediction, animal in pairs:
            labelled = np.asarray(instances.visibility)[animal] > 0
            offset = poses.keypoints[0, prediction].numpy().astype(np.float64)
            distance = np.linalg.norm(offset - instances.keypoints[animal], axis=-1)
            self._counts["missed_keypoints"] += int((labelled & ~np.isfinite(distance)).sum())
            self._distances.append(np.where(labelled & np.isfinite(distance), distance, np.nan))
            self._scores.append(poses.scores[0, prediction].numpy())

    def compute(self) -> dict[str, Any]:
        """Return means and shares, ``per_keypoint`` and ``counts``."""
        shape = (len(self._distances), len(self._names))
        distances = np.array(self._distances, dtype=np.float64).reshape(shape)
        sure = np.array(self._scores, dtype=np.float64).reshape(shape) >= self.pcutoff
        cut = np.where(sure, distances, np.nan)
        per_keypoint = {
            name: _means(distances[:, k], cut[:, k]) | {"count": _count(distances[:, k])}
            for k, name in enumerate(self._names)
        }
        counts = {
            "animals": len(distances),
            "keypoints": _count(distances),
            "keypoints_pcutoff": _count(cut),
            **self._counts,
        }
        rates = {
            "missed_rate": _share(self._counts["missed_animals"], len(distances)),
            "false_rate": _share(self._counts["false_animals"], len(distances)),
        }
        return _means(distances, cut) | rates | {"per_keypoint": per_keypoint, "counts": counts}


def _means(distances: np.ndarray, cut: np.ndarray) -> dict[str, float]:
    return {
        "mean_error_px": _mean(distances),
        "rmse_px": math.sqrt(_mean(distances**2)),
        "mean_error_px_pcutoff": _mean(cut),
        "rmse_px_pcutoff": math.sqrt(_mean(cut**2)),
    }


def _share(unmatched: int, matched: int) -> float:
    """Return the share of what has no counterpart; NaN of nothing."""
    return unmatched / (unmatched + matched) if unmatched or matched else math.nan


def _mean(values: np.ndarray) -> float:
    """Mean of what is there; NaN of nothing, without NumPy's warning."""
    return float(np.nanmean(values)) if _count(values) else math.nan


def _count(values: np.ndarray) -> int:
    return int(np.isfinite(values).sum())
