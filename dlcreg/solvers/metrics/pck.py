"""The share of keypoints that are right, by distances relative to the size of the animal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from dlcreg.contracts import Metric
from dlcreg.registry import METRICS
from dlcreg.solvers.metrics.matching import match, tight_areas
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses

Normalize = Literal["box", "area", "image", "px"] | tuple[str, str]


class RelativeDistance(Metric):
    """Distances of all labelled keypoints, each divided by a length.

    A keypoint that was not found, and all those of an animal that was not found, are infinitely
    far away.

    Args:
        normalize: the length: ``'box'`` the longer side of the labelled animal's box, ``'area'``
            the square root of the box around its keypoints, ``'image'`` the image's diagonal,
            ``'px'`` one pixel, or the names of two keypoints, such as ``('hip', 'shoulder')``,
            for the distance between them; animals without both are left out.

    Raises:
        ValueError: another `normalize`.
    """

    higher_is_better = True

    def __init__(self, normalize: Normalize = "box") -> None:
        if isinstance(normalize, str):
            if normalize not in ("box", "area", "image", "px"):
                raise ValueError(
                    f"normalize={normalize!r}: give 'box', 'area', 'image', 'px' or the names of "
                    "two keypoints"
                )
        elif len(normalize) != 2:
            raise ValueError(f"normalize={normalize!r}: give the names of two keypoints")
        self.normalize = normalize

    @property
    def suffix(self) -> str:
        """What tells keys of different lengths apart; nothing for the box."""
        if isinstance(self.normalize, str):
            return "" if self.normalize == "box" else f"_{self.normalize}"
        return "_" + "_".join(self.normalize)

    def reset(self, info: DatasetInfo) -> None:
        """Forget all images.

        Raises:
            ValueError: the data set has no keypoint of a name in `normalize`.
        """
        self._names = info.keypoint_names
        self._single = info.num_individuals == 1
        self._pair: list[int] = []
        self._distances: list[np.ndarray] = []  # (K,) for each animal; NaN where not labelled
        if not isinstance(self.normalize, str):
            unknown = [name for name in self.normalize if name not in self._names]
            if unknown:
                raise ValueError(
                    f"normalize={tuple(self.normalize)!r}: the data set has no keypoint "
                    f"{unknown[0]!r}. It has: {', '.join(self._names)}"
                )
            self._pair = [self._names.index(name) for name in self.normalize]

    def update(self, poses: Poses, instances: Instances, meta: Meta) -> None:
        """Add one image."""
        pairs, _, _ = match(poses, instances, direct=self._single)
        found = {animal: prediction for prediction, animal in pairs}
        labelled = np.asarray(instances.visibility) > 0
        labelled &= np.asarray(instances.valid, bool)[:, None]
        for animal in map(int, np.flatnonzero(labelled.any(-1))):
            length = self._length(instances, animal, labelled[animal], meta)
            if not length > 0:
                continue
            distance = np.full(len(self._names), np.inf)
            if animal in found:
                points = poses.keypoints[0, found[animal]].numpy().astype(np.float64)
                distance = np.linalg.norm(points - instances.keypoints[animal], axis=-1) / length
                distance[~np.isfinite(distance)] = np.inf
            self._distances.append(np.where(labelled[animal], distance, np.nan))

    def _length(self, instances: Instances, animal: int, labelled: np.ndarray, meta: Meta) -> float:
        keypoints = np.asarray(instances.keypoints[animal], dtype=np.float64)
        if self._pair:
            first, second = self._pair
            both = labelled[first] and labelled[second]
            return float(np.linalg.norm(keypoints[first] - keypoints[second])) if both else 0.0
        if self.normalize == "px":
            return 1.0
        if self.normalize == "image":
            return math.hypot(*meta.size)
        if self.normalize == "area":
            return math.sqrt(float(tight_areas(keypoints[None], labelled[None])[0]))
        side = float(np.max(instances.boxes[animal][2:]))
        seen = keypoints[labelled]
        return side if side > 0 else float(np.ptp(seen, axis=0).max())

    def _table(self) -> np.ndarray:
        return np.array(self._distances, dtype=np.float64).reshape(-1, len(self._names))


@METRICS.register_module()
class PCK(RelativeDistance):
    """Percentage of correct keypoints (Yang and Ramanan, 2013), as a share between 0 and 1.

    A keypoint is correct if its distance from the label is at most `thresholds` times a length.
    The keys are ``pck@0.2`` for the box and, for other lengths, such as ``pck@5_px`` or
    ``pck@0.5_hip_shoulder``. Animals are matched as in `PixelError`; keypoints of an animal that
    was not found count as wrong.

    Args:
        thresholds: shares of the length, or pixels for ``'px'``.
        normalize: the length, see `RelativeDistance`.

    Raises:
        ValueError: a threshold that is not positive.
    """

    def __init__(
        self, thresholds: Sequence[float] = (0.05, 0.1, 0.2), normalize: Normalize = "box"
    ) -> None:
        super().__init__(normalize)
        if not thresholds or min(thresholds) <= 0:
            raise ValueError(f"thresholds={thresholds!r}: give one or more positive numbers")
        self.thresholds = tuple(float(threshold) for threshold in thresholds)

    @property
    def keys(self) -> tuple[str, ...]:
        """One key for each threshold."""
        return tuple(f"pck@{name}" for name in self._labels())

    def compute(self) -> dict[str, Any]:
        """Return the shares: by key, together in ``pck``, and in ``per_keypoint``."""
        distances = self._table()
        values: dict[str, Any] = {}
        per_keypoint: dict[str, dict[str, float]] = {name: {} for name in self._names}
        for threshold, label in zip(self.thresholds, self._labels(), strict=True):
            right = np.where(np.isnan(distances), np.nan, distances <= threshold)
            values[f"pck@{label}"] = _share(right)
            for k, name in enumerate(self._names):
                per_keypoint[name][f"pck@{label}"] = _share(right[:, k])
        together = {label: values[f"pck@{label}"] for label in self._labels()}
        return {**values, "pck": together, "per_keypoint": per_keypoint}

    def _labels(self) -> list[str]:
        return [f"{threshold:g}{self.suffix}" for threshold in self.thresholds]


@METRICS.register_module()
class AUC(RelativeDistance):
    """Area under the curve of PCK over its threshold, from 0 to `limit`, between 0 and 1.

    The area is exact: a keypoint at the distance d contributes ``max(0, 1 - d / limit)``; other
    programs sum over some thresholds. The key is ``auc``, or such as ``auc_px`` for other lengths
    than the box.

    Args:
        limit: largest threshold, as a share of the length, or pixels for ``'px'``.
        normalize: the length, see `RelativeDistance`.

    Raises:
        ValueError: a limit that is not positive.
    """

    def __init__(self, limit: float = 0.5, normalize: Normalize = "box") -> None:
        super().__init__(normalize)
        if limit <= 0:
            raise ValueError(f"limit={limit:g}: give a positive number")
        self.limit = float(limit)

    @property
    def keys(self) -> tuple[str, ...]:
        """The one key."""
        return (f"auc{self.suffix}",)

    def compute(self) -> dict[str, Any]:
        """Return the area, of all keypoints and of each in ``per_keypoint``."""
        area = np.clip(1 - self._table() / self.limit, 0, 1)
        key = self.keys[0]
        per_keypoint = {name: {key: _share(area[:, k])} for k, name in enumerate(self._names)}
        return {key: _share(area), "per_keypoint": per_keypoint}


def _share(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
