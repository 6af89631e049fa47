"""The neck that does nothing."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dlcreg.contracts import Neck
from dlcreg.registry import NECKS


@NECKS.register_module()
class IdentityNeck(Neck):
    """Hands the feature maps on as they are.

    Args:
        in_channels: channels of each map of the backbone.
        in_strides: strides of each map of the backbone.
    """

    def __init__(self, in_channels: Sequence[int], in_strides: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = tuple(in_channels)
        self.out_strides = tuple(in_strides)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return `features`."""
        return features
