"""The contract of metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from dlcreg.structures import DatasetInfo, Instances, Meta, Poses


class Metric(ABC):
    """A measure of predicted poses against labels, in pixels of the original images.

    `reset`, then `update` for every image, then `compute`.
    """

    higher_is_better: ClassVar[bool] = False

    @property
    @abstractmethod
    def keys(self) -> tuple[str, ...]:
        """The keys of `compute`'s scalars; a `save_best` must name one of them."""

    @abstractmethod
    def reset(self, info: DatasetInfo) -> None:
        """Forget all images; `info` describes the data set to come."""

    @abstractmethod
    def update(self, poses: Poses, instances: Instances, meta: Meta) -> None:
        """Add one image.

        Args:
            poses: CPU tensors with B = 1, in pixels of the original image.
            instances: numpy ``(N, ...)``, all animals of that image, likewise.
            meta: which image it is.
        """

    @abstractmethod
    def compute(self) -> dict[str, Any]:
        """Return the values: scalars by key, and nested dicts for tables such as per keypoint."""
