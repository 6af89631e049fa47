"""Maps between their cells, and outputs of resized images as outputs of the images themselves."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def at_grid(maps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the values of maps at crossings of rows and columns, ``(B, K, len, len)``.

    Between cells, values are interpolated; outside, those at the border are taken.

    Args:
        maps: ``(B, K, h, w)``.
        rows: in cells, the centre of the first at 0.
        columns: likewise.
    """
    return _along(_along(maps, columns, -1), rows[:, None], -2)


def resize(
    maps: Tensor, scale: float, cells: tuple[int, int], stride: float, offset: float
) -> Tensor:
    """Return maps of a resized image as maps ``(B, K, h, w)`` of the image itself.

    Args:
        maps: outputs on the image that was resized by `scale`, its outer edges onto one another.
        scale: above 1 for an image that was made larger.
        cells: h and w of the maps of the image itself.
        stride: pixels for each cell.
        offset: pixel coordinate of the centre of cell 0.
    """
    rows, columns = (
        from_scale(
            torch.arange(count, device=maps.device, dtype=maps.dtype), 1 / scale, stride, offset
        )
        for count in cells
    )
    return at_grid(maps, rows, columns)


def from_scale(cells: Tensor, scale: float, stride: float, offset: float) -> Tensor:
    """Return places in cells on a map of a resized image as places on the map of the image itself.

    Arguments as for `resize`.
    """
    pixels = cells * stride + offset
    return ((pixels + 0.5) / scale - 0.5 - offset) / stride


def _along(maps: Tensor, at: Tensor, dim: int) -> Tensor:
    count = maps.shape[dim]
    at = at.clamp(0, count - 1)
    low = at.floor().clamp(max=max(count - 2, 0))
    first, second = low.long().flatten(), (low.long().flatten() + 1).clamp(max=count - 1)
    return torch.lerp(maps.index_select(dim, first), maps.index_select(dim, second), at - low)


def resize_outputs(
    outputs: Mapping[str, Tensor],
    scale: float,
    cells: tuple[int, int],
    stride: float,
    offset: float,
) -> dict[str, Tensor]:
    """Return heatmap, locref and paf, those that there are, of a resized image as of the image.

    Arguments as for `resize`; the ways of locref are pixels, which `scale` makes longer.
    """
    resized = {name: resize(outputs[name], scale, cells, stride, offset) for name in outputs}
    if "locref" in resized:
        resized["locref"] = resized["locref"] / scale
    return resized
