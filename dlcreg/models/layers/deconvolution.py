"""Transposed convolutions that double a map."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Drop = Literal["first", "last", "none"]


class Deconvolution(nn.ConvTranspose2d):
    """A transposed convolution of 3x3 and stride 2, which makes 2n + 1 cells of n.

    Args:
        in_channels: channels of the map.
        out_channels: channels of the map that it makes.
        drop: the row and column of those that are left out: the ``first``, the ``last``
            (TensorFlow's ``SAME``), or ``none``.
    """

    def __init__(self, in_channels: int, out_channels: int, drop: Drop = "last") -> None:
        padding = 1 if drop == "first" else 0
        super().__init__(
            in_channels, out_channels, 3, stride=2, padding=padding, output_padding=padding
        )
        self.drop = drop

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return a map ``(B, C', 2h, 2w)``, or one more each way, of a map ``(B, C, h, w)``."""
        x = super().forward(x, output_size)
        return x[..., :-1, :-1] if self.drop == "last" else x


def deconvolutions(
    in_channels: int, out_channels: int, count: int, between: int, drop: Drop = "last"
) -> nn.Sequential:
    """Return transposed convolutions in a row, with ReLU between them.

    Args:
        in_channels: channels of the map.
        out_channels: channels of the last of them.
        count: how many there are, at least 1.
        between: channels of those before the last.
        drop: see `Deconvolution`.
    """
    layers: list[nn.Module] = []
    for _ in range(count - 1):
        layers += [Deconvolution(in_channels, between, drop), nn.ReLU(inplace=True)]
        in_channels = between
    return nn.Sequential(*layers, Deconvolution(in_channels, out_channels, drop))


def extra_cells(count: int, drop: Drop) -> int:
    """Return by how many cells `count` of them in a row overshoot ``2 ** count`` times a map."""
    return 2**count - 1 if drop == "none" else 0
