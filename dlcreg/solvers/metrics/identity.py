"""Whether animals are taken for who they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlcreg.contracts import Metric
from dlcreg.registry import METRICS
from dlcreg.solvers.metrics.matching import match
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses


@METRICS.register_module()
class IdentityAccuracy(Metric):
    """Share of the animals that were found which are taken for who they are, 0 to 1.

    Predictions and labels are matched by their keypoints alone, as in `PixelError`; an animal that
    was missed, and one of which nobody knows who it is, counts neither way. ``identity_accuracy``
    is of the individuals that the animals are given. ``identity_keypoint_accuracy`` is of their
    single keypoints: the share of those that were found and are labelled at which the right
    individual is the likeliest. The table ``per_keypoint`` has it for each keypoint, where
    DeepLabCut's evaluation has ``id_head_<body part>_accuracy``.

    Both are NaN for a model that does not say who is who.

    Raises:
        ValueError: in `reset`, for data of which nobody knows who is who.
    """

    higher_is_better = True

    @property
    def keys(self) -> tuple[str, ...]:
        """Of animals, and of keypoints."""
        return ("identity_accuracy", "identity_keypoint_accuracy")

    def reset(self, info: DatasetInfo) -> None:
        """Forget all images.

        Raises:
            ValueError: the individuals of the data are not known apart.
        """
        if not info.identified:
            raise ValueError(
                "the data does not say who is who (DatasetInfo.identified), so that there is "
                "nothing to compare with: leave this metric out, or set identity=True of "
                "PoseDataset if each individual is the same animal in all images"
            )
        self._names = info.keypoint_names
        self._single = info.num_individuals == 1
        self._animals: list[float] = []
        self._keypoints: list[np.ndarray] = []  # (K,) for each animal; NaN where nothing is known

    def update(self, poses: Poses, instances: Instances, meta: Meta) -> None:
        """Add one image."""
        pairs, _, _ = match(poses, instances, direct=self._single)
        for prediction, animal in pairs:
            who = int(np.asarray(instances.ids)[animal])
            if who < 0:
                continue
            if poses.identities is not None:
                self._animals.append(float(int(poses.identities[0, prediction]) == who))
            if poses.identity_scores is not None:
                likeliest = poses.identity_scores[0, prediction].numpy().argmax(axis=-1)
                found = np.isfinite(poses.keypoints[0, prediction].numpy()).all(axis=-1)
                known = found & (np.asarray(instances.visibility)[animal] > 0)
                self._keypoints.append(np.where(known, likeliest == who, np.nan))

    def compute(self) -> dict[str, Any]:
        """Return both shares, and ``per_keypoint``."""
        table = np.array(self._keypoints, np.float64).reshape(-1, len(self._names))
        return {
            "identity_accuracy": _mean(np.array(self._animals)),
            "identity_keypoint_accuracy": _mean(table),
            "per_keypoint": {
                name: {"identity_accuracy": _mean(table[:, k])}
                for k, name in enumerate(self._names)
            },
        }


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
