"""Convolutions whose taps move: each pixel says where its kernel looks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d


class AdaptiveBlock(nn.Module):
    """Adaptive convolution of DEKR (Geng et al., 2021) for several groups of channels at once.

    In each cell and for each group, a convolution predicts a 2x2 matrix and another a translation.
    They turn the regular 3x3 grid of taps into the one that a deformable convolution reads. Its
    normalised outcome is added to the input. Both begin at zero: at the start of training all nine
    taps read the cell itself.

    The groups know nothing of one another: a block of K groups is K blocks of one, in one call.

    Args:
        groups: number of groups, such as one for each keypoint.
        channels: channels of each group.
    """

    grid: Tensor

    def __init__(self, groups: int, channels: int) -> None:
        super().__init__()
        self.groups = groups
        width = groups * channels
        self.matrix = nn.Conv2d(width, 4 * groups, 3, padding=1, groups=groups)
        self.translation = nn.Conv2d(width, 2 * groups, 3, padding=1, groups=groups)
        self.weight = nn.Parameter(torch.empty(width, channels, 3, 3))
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        steps = torch.arange(-1.0, 2.0)
        grid = torch.cartesian_prod(steps, steps)  # (9, 2): y, x
        self.register_buffer("grid", grid.T.contiguous(), persistent=False)
        self.initialise()

    def initialise(self, std: float = 0.001) -> None:
        """Draw the weights of the taps; matrix and translation become zero.

        Args:
            std: standard deviation of the weights of the taps.
        """
        nn.init.normal_(self.weight, std=std)
        for layer in (self.matrix, self.translation):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the shape of `x`, ``(B, groups * channels, h, w)``."""
        b, _, h, w = x.shape
        matrix = self.matrix(x).float().view(b, self.groups, 2, 2, h, w)
        translation = self.translation(x).float().view(b, self.groups, 1, 2, h, w)
        grid = self.grid.float()
        moved = torch.einsum("bgijhw,jt->bgtihw", matrix, grid)
        offsets = moved - grid.T[:, :, None, None] + translation  # (B, G, 9, 2, h, w): y, x
        taps = deform_conv2d(x.float(), offsets.flatten(1, 3), self.weight.float(), padding=1)
        return self.relu(self.norm(taps.to(x.dtype)) + x)  # type: ignore[no-any-return]
