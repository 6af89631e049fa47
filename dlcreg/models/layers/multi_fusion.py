"""The multi-fusion of DLCRNet: features of early stages beside those of the last one."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Engine = Literal["pytorch", "tensorflow"]


class OffsetNorm(nn.BatchNorm2d):
    """Batch normalisation without a factor, as TensorFlow's slim has it by default.

    Args:
        channels: channels of the map.
        batch_statistics: normalise by the statistics of the batch in evaluation mode, too.
    """

    def __init__(self, channels: int, batch_statistics: bool = False) -> None:
        super().__init__(channels, eps=1e-3)
        self.register_parameter("weight", None)
        self.batch_statistics = batch_statistics

    def reset_parameters(self) -> None:
        """Forget the statistics; start from no offset."""
        self.reset_running_stats()
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map ``(B, C, h, w)`` normalised by channel."""
        if self.batch_statistics and not self.training:
            return F.batch_norm(x, None, None, bias=self.bias, training=True, eps=self.eps)
        return super().forward(x)


class AtLeast(nn.Module):
    """Repeats the last row and column of maps that are too small for a kernel.

    Args:
        cells: height and width that a map has at least.
    """

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, x: Tensor) -> Tensor:
        """Return a map ``(B, C, h, w)``, or a larger one if `h` or `w` is too small."""
        bottom, right = (max(self.cells - length, 0) for length in x.shape[-2:])
        pad = (0, right, 0, bottom)
        return F.pad(x, pad, mode="replicate") if right or bottom else x


def fusion_branch(
    channels: int, out_channels: int, halvings: int, engine: Engine, batch_statistics: bool
) -> nn.Sequential:
    """Return what brings a bank of features to the stride of the last stage.

    Args:
        channels: channels of the bank.
        out_channels: channels that are left of them in the end.
        halvings: number of 3x3 convolutions of stride 2.
        engine: ``pytorch`` pads nothing, so that the maps come out too small; ``tensorflow`` pads
            at the right and the bottom.
        batch_statistics: see `OffsetNorm`.
    """
    blocks = [_block(channels, channels, 3, engine, batch_statistics) for _ in range(halvings)]
    return nn.Sequential(*blocks, _block(channels, out_channels, 1, engine, batch_statistics))


def _block(
    channels: int, out_channels: int, kernel: int, engine: Engine, batch_statistics: bool
) -> nn.Sequential:
    block = nn.Sequential()
    if kernel > 1:
        pad = nn.ZeroPad2d((0, 1, 0, 1)) if engine == "tensorflow" else AtLeast(kernel)
        block.add_module("pad", pad)
    stride = 2 if kernel > 1 else 1
    biased = engine == "pytorch"
    block.add_module("conv", nn.Conv2d(channels, out_channels, kernel, stride, bias=biased))
    norm = OffsetNorm(out_channels, batch_statistics) if engine == "tensorflow" else None
    block.add_module("norm", norm or nn.BatchNorm2d(out_channels))
    block.add_module("relu", nn.ReLU(inplace=True))
    return block


def resized(x: Tensor, size: torch.Size) -> Tensor:
    """Return a map ``(B, C, *size)``; where it becomes smaller, without aliasing."""
    if x.shape[-2:] == size:
        return x
    # in float32: torch has no such kernel for bfloat16 on every device
    wide = F.interpolate(x.float(), size=size, mode="bilinear", antialias=True)
    return wide.to(x.dtype)


def doubled(x: Tensor) -> Tensor:
    """Return a map ``(B, C, 2h, 2w)`` as TensorFlow 1 resizes: cell 2i is cell i, the next between.

    The last row and column are repeated.
    """
    height, width = x.shape[-2:]
    wider = F.pad(x, (0, 1, 0, 1), mode="replicate")
    size = (2 * height + 1, 2 * width + 1)
    return F.interpolate(wider, size=size, mode="bilinear", align_corners=True)[..., :-1, :-1]
