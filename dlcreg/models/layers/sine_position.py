"""Where a token lies, told by sines and cosines of its row and its column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_TEMPERATURE = 10_000
_EPSILON = 1e-6


def sine_positions(
    height: int,
    width: int,
    channels: int,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return a fixed code ``(height * width, channels)`` for each cell of a map, row by row.

    The first half of the channels tells the row and the second half the column. Both count from 1
    and are divided by the length of their side, so that the code stretches with the map: row i of
    h is the angle ``2 pi (i + 1) / (h + 1e-6)``. Channel n of a half of d is the sine (n even) or
    cosine (n odd) of that angle over ``10000 ** (2 * (n // 2) / d)``. Of DETR (Carion et al.,
    2020), as TransPose and TokenPose take it.

    Args:
        height: rows of the map.
        width: columns of the map.
        channels: of the code, a multiple of 4.
        device: of the code; None: torch's default.
        dtype: of the code; None: float32, in which it is computed.

    Raises:
        ValueError: another number of channels.
    """
    if channels < 4 or channels % 4:
        raise ValueError(f"channels must be a multiple of 4, not {channels}")
    half = channels // 2
    pair = torch.arange(half, device=device, dtype=torch.float32).div(2, rounding_mode="floor")
    period = _TEMPERATURE ** (2 * pair / half)
    rows = _waves(height, period)[:, None].expand(height, width, half)
    columns = _waves(width, period)[None].expand(height, width, half)
    code = torch.cat([rows, columns], dim=-1).flatten(0, 1)
    return code if dtype is None else code.to(dtype)


def _waves(length: int, period: Tensor) -> Tensor:
    """Return sines and cosines by turns, ``(length, d)``, of each place on a side."""
    place = torch.arange(1, length + 1, device=period.device, dtype=period.dtype)
    angle = (place / (length + _EPSILON) * (2 * math.pi))[:, None] / period
    return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=-1).flatten(1)


class SinePositions(nn.Module):
    """The code of `sine_positions` for maps of any size, at hand for one size.

    The code at hand is a parameter that does not learn, as the papers count it. It is no part of
    the state dict, for it follows from the size: weights fit maps of all sizes.

    Args:
        height: rows of the usual map.
        width: columns of the usual map.
        channels: of the code, a multiple of 4.

    Raises:
        ValueError: another number of channels.
    """

    def __init__(self, height: int, width: int, channels: int) -> None:
        super().__init__()
        self.size = (height, width)
        self.table = nn.Parameter(sine_positions(height, width, channels), requires_grad=False)

    def forward(self, height: int, width: int) -> Tensor:
        """Return the code ``(height * width, channels)`` of a map of that size."""
        if (height, width) == self.size:
            return self.table
        table = self.table
        return sine_positions(height, width, table.shape[1], table.device, table.dtype)

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        """Leave the table out, as `torch.nn.Module` allows a module to."""

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kw: Any) -> None:
        """Miss nothing."""
