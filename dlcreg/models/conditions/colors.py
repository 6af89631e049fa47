"""A colour for each keypoint, from the rainbow of matplotlib."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Colors = Literal["even", "buctd", "deeplabcut"]

_SHADES = 256


def rainbow(num_colors: int, colors: Colors = "even") -> Tensor:
    """Return ``(num_colors, 3)`` red, green and blue from 0 to 1, float32.

    Args:
        num_colors: how many.
        colors: ``even``: spread from one end of the rainbow to the other. As the originals choose
            them of its 256 shades, in steps of 1/255: ``buctd`` in equal steps, which leave some of
            its end out; ``deeplabcut`` from one end to the other.

    Raises:
        ValueError: no colours, or more than there are shades.
    """
    if num_colors < 1:
        raise ValueError(f"num_keypoints must be at least 1, not {num_colors}")
    if colors == "even":
        return _shades(torch.linspace(0, 1, num_colors, dtype=torch.float64)).float()
    if colors == "buctd":
        if num_colors > _SHADES:
            raise ValueError(f"colors='buctd' has {_SHADES} colours, not {num_colors}")
        index = torch.arange(num_colors) * (_SHADES // num_colors)
    elif colors == "deeplabcut":
        # the last is one shade beyond the rainbow's end, which matplotlib takes as its end
        index = torch.linspace(0, _SHADES, num_colors, dtype=torch.float64).long()
    else:
        raise ValueError(f"colors must be 'even', 'buctd' or 'deeplabcut', not {colors!r}")
    shades = _shades(index.clamp(max=_SHADES - 1).double() / (_SHADES - 1))
    return (shades * 255).floor().float() / 255


def _shades(place: Tensor) -> Tensor:
    """Return the rainbow's colours at places from 0 to 1, by its formulas."""
    red = (2 * place - 0.5).abs()
    green = (place * torch.pi).sin()
    blue = (place * torch.pi / 2).cos()
    return torch.stack([red, green, blue], dim=-1).clamp(0, 1)
