"""Maps cut into patches."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from dlcreg.contracts import Size


def patch_grid(size: Size, patch: Size) -> Size:
    """Return rows and columns of the patches that cover a map of `size`, both in cells."""
    return -(-size[0] // patch[0]), -(-size[1] // patch[1])


def cut_into_patches(maps: Tensor, patch: Size) -> Tensor:
    """Return the patches ``(B, N, p * q * C)`` of maps ``(B, C, H, W)``, row by row.

    A patch lists its cells row by row, and of each cell all channels. Maps that the patch does not
    divide are continued at the right and the bottom by their last cells.

    Args:
        maps: to cut.
        patch: height p and width q of a patch, in cells.
    """
    height, width = maps.shape[-2:]
    p, q = patch
    right, bottom = -width % q, -height % p
    if right or bottom:
        maps = F.pad(maps, (0, right, 0, bottom), mode="replicate")
    rows, columns = patch_grid((height, width), patch)
    maps = maps.unflatten(3, (columns, q)).unflatten(2, (rows, p))  # (B, C, rows, p, columns, q)
    return maps.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
