"""Drawing where few cells are not zero: discs around keypoints, and what else is drawn in maps.

What is drawn is listed as cells, of all keypoints of a batch at once, and scattered into the maps:
the work is that of the cells that are drawn, not that of all cells of all animals.

Shapes: B images, N animals, K keypoints, h x w cells.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

Overlap = Literal["nearest", "last"]
"""Which animal a cell is given where several claim it."""


class Discs(NamedTuple):
    """Discs around keypoints.

    Args:
        disc: ``(B, K, h, w)``, 1 in each cell within the radius of a keypoint, else 0.
        way: ``(B, 2K, h, w)``, channels x0 y0 x1 y1 ...: keypoint minus centre of the cell; 0
            outside the discs.
        mask: ``(B, 2K, h, w)``, the disc of each channel of `way`.
    """

    disc: Tensor
    way: Tensor
    mask: Tensor


def discs(
    keypoints: Tensor,
    known: Tensor,
    size: tuple[int, int],
    radius: float,
    overlap: Overlap = "nearest",
    unit: float = 1.0,
) -> Discs:
    """Return discs around keypoints, and the way from each of their cells to its keypoint.

    Args:
        keypoints: float ``(B, N, K, 2)`` in cells.
        known: bool ``(B, N, K)``; others draw nothing.
        size: h and w of the map.
        radius: cells.
        overlap: the keypoint that a cell points at: the nearest, or that of the last animal.
        unit: cells for a way of 1.
    """
    b, n, k, _ = keypoints.shape
    maps, area = b * k, size[0] * size[1]
    points = keypoints.masked_fill(~known[..., None], 0.0).transpose(-1, -2)  # (B, N, 2, K)
    first = torch.ceil(points - radius)
    steps = torch.arange(int(2 * radius) + 1, device=points.device)  # (C,)
    place = first[..., None] + steps  # (B, N, 2, K, C), columns and rows
    (x, y), (column, row) = (points[..., None] - place).unbind(2), place.unbind(2)
    squared = x.square()[..., None, :] + y.square()[..., None]  # (B, N, K, C, C)
    inside = (squared <= radius**2) & known[..., None, None]
    inside &= ((column >= 0) & (column < size[1]))[..., None, :]
    inside &= ((row >= 0) & (row < size[0]))[..., None]
    cell = (row.long() * size[1])[..., None] + column.long()[..., None, :]
    field = torch.arange(maps, device=points.device).view(b, 1, k, 1, 1) * area
    one = torch.where(inside, cell + field, maps * area)
    two = torch.where(inside, cell + 2 * field, 2 * maps * area)
    animal = torch.arange(n, device=points.device).view(n, 1, 1, 1).expand(squared.shape)
    nearness = (1 - squared / radius**2).clamp_(min=0)
    keys = keys_of(animal, n, nearness if overlap == "nearest" else None)
    ones = torch.ones_like(squared)
    ways = ((x / unit)[..., None, :].expand_as(squared), (y / unit)[..., None].expand_as(squared))
    disc = Canvas.blank((b, k, *size), points)
    disc.draw(Stroke(one, None, (ones,)))
    way, mask = (Canvas.blank((b, 2 * k, *size), points) for _ in range(2))
    way.draw(Stroke(two, keys, ways))
    mask.draw(Stroke(two, None, (ones, ones)))
    return Discs(disc.maps(), way.maps(), mask.maps())


def keys_of(animal: Tensor, animals: int, nearness: Tensor | None) -> Tensor | None:
    """Return int32 ``(...)`` from 0 on, the larger the more right an entry has to its cell.

    Args:
        animal: int32 or int64 ``(...)``, the number of each entry's animal.
        animals: number of animals N; a single one has all cells: None.
        nearness: float32 ``(...)``, from 0 on: an entry with a higher one is drawn in place of
            others in its cell. None: that of the last animal is.
    """
    if animals < 2:
        return None
    rank = animal.to(torch.int32)
    if nearness is None:
        return rank
    # Floats from 0 on are ordered as the integers of the same bits, the last ones of which give
    # way to the number of the animal.
    low = (1 << (animals - 1).bit_length()) - 1
    return (nearness.view(torch.int32) & ~low).bitwise_or_(low - rank)


class Stroke(NamedTuple):
    """Entries to draw in cells that are blank.

    Args:
        cell: int32 or int64 ``(...)``, in the first of each entry's maps, or `Canvas.nowhere`.
        keys: int32 ``(...)``, see `keys_of`; None where entries that share a cell are alike.
        values: float32 ``(...)``, one for each of an entry's maps, which follow one another.
    """

    cell: Tensor
    keys: Tensor | None
    values: tuple[Tensor, ...]


class Canvas(NamedTuple):
    """Maps to draw in.

    Args:
        cells: float32, the cells of all maps in a row, and then those of one more map and one more
            cell: what is not to be drawn goes there, so that shapes do not depend on values.
        shape: of the maps, ``(B, C, h, w)``.
    """

    cells: Tensor
    shape: tuple[int, ...]

    @classmethod
    def blank(cls, shape: tuple[int, int, int, int], like: Tensor) -> Canvas:
        """Return maps of 0 on the device of a tensor."""
        count = math.prod(shape) + math.prod(shape[2:]) + 1
        if like.device.type == "cpu":
            # large ones come blank from the system, where torch writes each 0: for maps of some
            # 10 MB that takes longer than to draw them
            return cls(torch.from_numpy(np.zeros(count, np.float32)), shape)
        return cls(like.new_zeros(count, dtype=torch.float32), shape)

    @property
    def nowhere(self) -> int:
        """Cell of what is not to be drawn."""
        return math.prod(self.shape)

    def draw(self, *strokes: Stroke) -> None:
        """Draw strokes that contend for the same cells, and for none that are drawn in before."""
        board = self.cells.view(torch.int32)
        places = [stroke.cell.flatten().long() for stroke in strokes]
        # the first map holds the keys until it is drawn: each cell with one has a winner
        for (_, keys, _), at in zip(strokes, places):
            if keys is not None:
                board.scatter_reduce_(0, at, keys.flatten(), "amax")
        for index, (cell, keys, _) in enumerate(strokes):
            if keys is not None:
                lost = board.index_select(0, places[index]).sub_(keys.flatten()).clamp_(max=1)
                lost = lost.to(cell.dtype).mul_(self.nowhere)
                places[index] = torch.maximum(lost, cell.flatten(), out=lost).long()
        for (_, _, values), at in zip(strokes, places):
            for index, value in enumerate(values):
                first = index * math.prod(self.shape[2:])
                self.cells[first:].scatter_(0, at, value.reshape(-1))

    def maps(self) -> Tensor:
        """Return the maps ``(B, C, h, w)``."""
        return self.cells[: self.nowhere].view(self.shape)
