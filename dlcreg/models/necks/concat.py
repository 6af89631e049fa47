"""All maps of a backbone as one, at the finest resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcreg.contracts import Neck
from dlcreg.registry import NECKS


@NECKS.register_module()
class UpsampleConcat(Neck):
    """Brings every map to the size of the finest and puts their channels behind one another.

    The representation head of HRNetV2 (Wang et al., 2020) without its convolution, as DEKR (Geng
    et al., 2021) takes it: the four maps of HRNet-W32 become one of 480 channels. It has no
    parameters.

    Args:
        in_channels: channels of each map of the backbone, finest first.
        in_strides: strides of each map of the backbone.
    """

    def __init__(self, in_channels: Sequence[int], in_strides: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = (sum(in_channels),)
        self.out_strides = (in_strides[0],)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return one map ``(B, C, h, w)`` of the size of the first of `features`."""
        size = features[0].shape[-2:]
        coarser = (
            F.interpolate(x, size, mode="bilinear", align_corners=False) for x in features[1:]
        )
        return (torch.cat([features[0], *coarser], dim=1),)
