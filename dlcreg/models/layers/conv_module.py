"""A convolution with batch normalisation and an activation, under the names of OpenMMLab."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


class ConvModule(nn.Sequential):
    """Convolution without a bias, batch normalisation, SiLU: ``conv``, ``bn``, ``activate``.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel: size of the kernel, odd.
        stride: cells of the input for each cell of the output.
        groups: 1, or `in_channels` for a depthwise convolution.
    """

    def __init__(
        self, in_channels: int, channels: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        conv = nn.Conv2d(
            in_channels, channels, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        bn, activate = nn.BatchNorm2d(channels), nn.SiLU(inplace=True)
        super().__init__(OrderedDict(conv=conv, bn=bn, activate=activate))
