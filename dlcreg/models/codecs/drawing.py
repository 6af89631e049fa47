"""Drawing where few cells are not zero: discs around keypoints and bands along limbs.

What is drawn is listed as cells, all keypoints or limbs of a batch at once, and scattered into
the maps: the work is that of the cells that are drawn, not that of all cells of all animals.

Shapes: B images, N animals, K keypoints, L edges, h x w cells.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Overlap = Literal["nearest", "last"]
"""Which animal a cell is given where several claim it."""

_TOLERANCE = 1e-4
"""Cells by which a limb may seem longer, for its ends to count as its own."""


class Discs(NamedTuple):
    """Discs around keypoints.

    Args:
        disc: ``(B, K, h, w)``, 1 in each cell within the radius of a keypoint, else 0.
        way: ``(B, 2K, h, w)``, channels x0 y0 x1 y1 ...: keypoint minus centre of the cell, in
            cells; 0 outside the discs.
    """

    disc: Tensor
    way: Tensor


def discs(
    keypoints: Tensor,
    known: Tensor,
    size: tuple[int, int],
    radius: float,
    overlap: Overlap = "nearest",
) -> Discs:
    """Return discs around keypoints, and the way from each of their cells to its keypoint.

    Args:
        keypoints: float ``(B, N, K, 2)`` in cells.
        known: bool ``(B, N, K)``; others draw nothing.
        size: h and w of the map.
        radius: cells.
        overlap: the keypoint that a cell points at: the nearest, or that of the last animal.
    """
    b, n, k, _ = keypoints.shape
    area = size[0] * size[1]
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
    of_keypoint = torch.arange(b * k, device=points.device).view(b, 1, k, 1, 1) * area
    ones = torch.ones_like(squared)
    one_map = _Claims(cell + of_keypoint, inside, of_keypoint, 1)
    disc = _drawn(one_map, b * k * area, area, ones)
    animal = torch.arange(n, device=points.device).view(n, 1, 1, 1)
    nearness = 1 - squared / radius**2 if overlap == "nearest" else None
    two_maps = _Claims(cell + 2 * of_keypoint, inside, animal, n, nearness)
    ways = (x[..., None, :].expand_as(squared), y[..., None].expand_as(squared))
    way = _drawn(two_maps, 2 * b * k * area, area, *ways)
    return Discs(disc.view(b, k, *size), way.view(b, 2 * k, *size))


def limb_fields(
    keypoints: Tensor,
    known: Tensor,
    edges: Tensor,
    size: tuple[int, int],
    width: float,
    overlap: Overlap = "nearest",
) -> Tensor:
    """Return part affinity fields ``(B, 2L, h, w)``, channels x0 y0 x1 y1 ...

    Along a limb lies its unit vector, times 1 on the line from keypoint to keypoint and falling to
    0 at `width` from it.

    Args:
        keypoints: float ``(B, N, K, 2)`` in cells.
        known: bool ``(B, N, K)``; limbs of other keypoints draw nothing.
        edges: int64 ``(L, 2)``.
        size: h and w of the map.
        width: cells at both sides of a limb.
        overlap: the animal whose limb a cell lies on: that of the nearest line, or the last one.
    """
    (b, n), count, (rows, columns) = keypoints.shape[:2], len(edges), size
    area = rows * columns
    known = (known[..., edges[:, 0]] & known[..., edges[:, 1]]).flatten()  # (M,), M = B N L
    start, stop = (keypoints[..., edges[:, end], :].flatten(0, 2) for end in (0, 1))  # (M, 2)
    start, stop = (end.masked_fill(~known[:, None], 0.0) for end in (start, stop))
    length = (stop - start).norm(dim=-1)
    unit = (stop - start) / length.clamp(min=1e-12)[:, None]

    # A limb is walked along x or y, whichever it is nearer to: the major axis. At each step lies
    # a short row of cells along the minor axis, of the same length for all.
    steep = unit[:, 1].abs() > unit[:, 0].abs()
    lead, lean = _by_axis(unit, steep)
    major, minor = _by_axis(start, steep)
    steps = torch.arange(max(size), device=start.device)
    ends, reach = torch.stack([major, major + lead * length]), width * lean.abs()
    low, high = ends.amin(dim=0) - reach, ends.amax(dim=0) + reach
    high = torch.minimum(high, torch.where(steep, rows - 1, columns - 1))
    high = torch.where(known & (length > 0), high, -1.0)
    limb, step, walked = _walk(steps, low, high)  # (P,)

    def of_limb(values: Tensor) -> Tensor:
        return values.index_select(0, limb)

    tilt, slope = of_limb(lean), of_limb(lead)
    progress = (step - of_limb(major)) / slope  # along the limb, where its line crosses
    centre = of_limb(minor) + progress * tilt
    fall = slope.abs() / width  # of the weight from a cell to the next one
    first = torch.ceil(centre - 1 / fall)
    before = first - centre
    # The row ends at the side of the limb, where the limb ends or at the border of the map.
    level = torch.where(tilt.abs() < _TOLERANCE**2, _TOLERANCE**2, tilt)
    behind = -(progress + before * tilt)
    stops = torch.stack([behind - _TOLERANCE, behind + of_limb(length) + _TOLERANCE]) / level
    left = torch.maximum(stops.amin(dim=0), -first)
    border = torch.where(steep, columns, rows).index_select(0, limb) - 1 - first
    right = torch.minimum(torch.minimum(stops.amax(dim=0), 1 / fall - before), border)
    right = torch.where(walked, right, -1.0)

    # (C, P) from here on: the longer axis last, for each pass runs along it
    across = torch.arange(int(2 * math.sqrt(2) * width) + 1, device=limb.device)[:, None]
    away = across.to(before.dtype)
    inside = (away >= left) & (away <= right)
    weight = 1 - torch.addcmul(before * fall, fall, away).abs_()
    rank = torch.arange(len(start), device=limb.device)
    image = torch.div(rank, max(n * count, 1), rounding_mode="floor")
    field = (image * count + rank % max(count, 1)) * (2 * area)
    along, beside = (of_limb(torch.where(steep, *jumps)) for jumps in ((columns, 1), (1, columns)))
    cell = torch.addcmul(of_limb(field) + step * along + first.long() * beside, beside, across)
    x, y = (weight * of_limb(component) for component in unit.unbind(1))
    animal = torch.div(rank, max(count, 1), rounding_mode="floor") - image * n
    nearness = weight if overlap == "nearest" else None
    claims = _Claims(cell, inside, of_limb(animal), n, nearness)
    fields = _drawn(claims, 2 * b * count * area, area, x, y)
    return fields.view(b, 2 * count, rows, columns)


def _walk(steps: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the steps from `low` to `high` of each limb: limb, step, and whether it is one.

    On the CPU those alone; elsewhere, where to count them would make the device wait, and where
    shapes must not depend on values, all `steps` of all limbs.
    """
    walked = (steps >= low[:, None]) & (steps <= high[:, None])  # (M, S)
    if walked.device.type == "cpu":
        limb, step = walked.nonzero(as_tuple=True)
        return limb, step, torch.ones_like(limb, dtype=torch.bool)
    limb = torch.arange(len(low), device=low.device)
    return limb.repeat_interleave(len(steps)), steps.repeat(len(low)), walked.flatten()


class _Claims(NamedTuple):
    """Entries that want to be drawn, each in a cell.

    Args:
        cell: int64 ``(...)``, flat index of the cell in the first of an entry's maps.
        inside: bool ``(...)``, whether an entry is one; the others are not drawn.
        animal: int64, broadcasts to those.
        animals: number of animals N.
        nearness: float32 ``(...)``, from 0 on where `inside`: an entry with a higher one is drawn
            in place of others in its cell. None: that of the last animal is.
    """

    cell: Tensor
    inside: Tensor
    animal: Tensor
    animals: int
    nearness: Tensor | None = None

    def keys(self) -> Tensor:
        """Return int32 ``(...)`` from 0 on, the larger the more right; no two of a cell alike."""
        rank = self.animal.to(torch.int32)
        if self.nearness is None:
            return rank.expand_as(self.cell)
        # Floats from 0 on are ordered as the integers of the same bits, the last ones of which
        # give way to the number of the animal.
        low = (1 << (self.animals - 1).bit_length()) - 1
        return (self.nearness.view(torch.int32) & ~low).bitwise_or_(low - rank)


def _drawn(claims: _Claims, cells: int, area: int, *values: Tensor) -> Tensor:
    """Return `cells` cells with the values of the entries that are drawn, 0 elsewhere.

    Args:
        claims: the entries.
        cells: number of cells of all maps.
        area: cells of each map.
        values: float32 ``(...)``, one for each of an entry's maps, which follow one another.
    """
    # what is not drawn goes to a cell that is cut off: shapes do not depend on values
    at = torch.where(claims.inside, claims.cell, cells).flatten()
    drawn = values[0].new_zeros(cells + (len(values) - 1) * area + 1)
    if claims.animals > 1:
        # the first map holds the keys until it is drawn: each cell with one has a winner
        keys, board = claims.keys().flatten(), drawn.view(torch.int32)
        board.scatter_reduce_(0, at, keys, "amax")
        won = board.index_select(0, at) == keys
        at = torch.where(won, at, cells)
    for index, value in enumerate(values):
        drawn[index * area :].scatter_(0, at, value.reshape(-1))
    return drawn[:cells]


def _by_axis(vectors: Tensor, steep: Tensor) -> tuple[Tensor, Tensor]:
    """Return y and x of vectors ``(M, 2)`` that are steep, x and y of the others."""
    x, y = vectors.unbind(dim=-1)
    return torch.where(steep, y, x), torch.where(steep, x, y)
