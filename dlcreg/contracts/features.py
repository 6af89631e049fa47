"""The contracts of backbones and necks: images to feature maps."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Images to feature maps.

    Sets `out_channels` and `out_strides`, one entry for each map, finest first; where it does not,
    they are found by a trial.

    A conditioned backbone is one whose `forward` has a second parameter ``condition``: keypoints
    ``(B, K, 3)`` as x, y, score in pixels of the images, where a score of 0 or less, or NaN, is one
    of no keypoint; or a map that is drawn already, ``(B, C, H, W)``. Unless the parameter has a
    default, a model refuses images without a condition, and a config data without any. See
    `ConditionEncoder`, which makes maps of keypoints.
    """

    out_channels: tuple[int, ...]
    out_strides: tuple[int, ...]

    size_divisor: int | None = None
    """Images come padded to multiples of this, in pixels; None: of the coarsest stride."""

    image_mean: tuple[float, float, float] | None = None
    """Mean of each channel, for values of 0 to 1, of the images that its weights are made for;
    None: that of ImageNet. `PoseModel` goes by it where its config says nothing of ``mean``."""

    image_std: tuple[float, float, float] | None = None
    """Standard deviation of each channel, likewise."""

    @abstractmethod
    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return feature maps ``(B, C, h, w)``, finest first, of images ``(B, 3, H, W)``."""


class Neck(nn.Module, ABC):
    """Feature maps to feature maps. Sets `out_channels` and `out_strides` as a backbone does."""

    out_channels: tuple[int, ...]
    out_strides: tuple[int, ...]

    @abstractmethod
    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return feature maps ``(B, C, h, w)``, finest first."""
