"""A feature pyramid: coarse maps that know what a thing is, fine maps that know where."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg.contracts import Neck
from dlcreg.registry import NECKS


@NECKS.register_module()
class FPN(Neck):
    """Feature pyramid network (Lin et al., 2017), read at its finest levels.

    From the coarsest map to the finest: upsample, add the backbone's map through a 1x1
    convolution, smooth with a 3x3 convolution. Unlike the paper's it normalises (batch norm) and
    rectifies after each, so that it trains from random weights.

    Args:
        in_channels: channels of each map of the backbone, finest first.
        in_strides: strides of each map of the backbone.
        channels: channels of every level.
        num_levels: how many levels to return, from the finest on.

    Raises:
        ValueError: there are fewer maps than levels.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        in_strides: Sequence[int],
        channels: int = 64,
        num_levels: int = 1,
    ) -> None:
        super().__init__()
        if not 1 <= num_levels <= len(in_channels):
            raise ValueError(
                f"num_levels={num_levels}, but the backbone gives {len(in_channels)} maps: "
                "give the backbone more out_indices"
            )
        self.laterals = nn.ModuleList(_conv(width, channels, 1) for width in in_channels)
        self.smooth = nn.ModuleList(_conv(channels, channels, 3) for _ in in_channels[:-1])
        self.num_levels = num_levels
        self.out_channels = (channels,) * num_levels
        self.out_strides = tuple(in_strides[:num_levels])

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return maps ``(B, channels, h, w)``, finest first, of the sizes of `features`."""
        x = self.laterals[-1](features[-1])
        levels = [x]
        for level in range(len(features) - 2, -1, -1):
            fine = self.laterals[level](features[level])
            coarse = F.interpolate(x, fine.shape[-2:], mode="bilinear", align_corners=False)
            x = self.smooth[level](fine + coarse)
            levels.append(x)
        return tuple(levels[::-1][: self.num_levels])


def _conv(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
