"""Any metric, of the unique body parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from dlcreg.contracts import Metric
from dlcreg.registry import METRICS
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses

_PREFIX = "unique_"


@METRICS.register_module()
class UniqueKeypoints(Metric):
    """Measures unique body parts as another metric measures animals.

    They are to it the keypoints of the only animal there is. Its keys begin with ``unique_``; its
    tables stand in the table ``unique``, but for ``per_keypoint``, which is one for all keypoints.

    >>> metric = dict(type="UniqueKeypoints", metric=dict(type="PixelError"))

    Args:
        metric: what measures them.

    Raises:
        ValueError: in `reset`, for data without unique body parts.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        """As of the metric inside."""
        return self.metric.higher_is_better

    @property
    def keys(self) -> tuple[str, ...]:
        """Those of the metric inside, with their prefix."""
        return tuple(f"{_PREFIX}{key}" for key in self.metric.keys)

    def reset(self, info: DatasetInfo) -> None:
        """Forget all images.

        Raises:
            ValueError: the data has no unique body parts, or they do not fit the metric inside.
        """
        if info.unique is None:
            raise ValueError(
                "the data has no unique body parts: leave this metric out. Those of a project "
                "belong to whole images (view='image')"
            )
        self._count = info.unique.num_keypoints
        self.metric.reset(info.unique)

    def update(self, poses: Poses, instances: Instances, meta: Meta) -> None:
        """Add one image; one whose labels hold no unique body parts is left out."""
        if instances.unique is not None:
            found = poses.unique if poses.unique is not None else _nothing(poses, self._count)
            self.metric.update(found, instances.unique, meta)

    def compute(self) -> dict[str, Any]:
        """Return the values of the metric inside under their new names."""
        values = self.metric.compute()
        tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
        found = {f"{_PREFIX}{key}": values[key] for key in values if key not in tables}
        per_keypoint = tables.pop("per_keypoint", None)
        if per_keypoint is not None:
            found["per_keypoint"] = per_keypoint
        return {**found, "unique": tables} if tables else found


def _nothing(poses: Poses, count: int) -> Poses:
    """Return poses in which no animal was found."""
    blank = poses.keypoints.new_zeros(1, 0, count, 2)
    scores = blank[..., 0]
    valid = torch.zeros(1, 0, dtype=torch.bool)
    return Poses(blank, scores, scores.sum(dim=-1), valid)
