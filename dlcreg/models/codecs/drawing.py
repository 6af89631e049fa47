"""Drawing where few cells are not zero: discs around keypoints and bands along limbs.

What is drawn is listed as cells, all keypoints or limbs of a batch at once, and scattered into
the maps: the work is that of the cells that are drawn, not that of all cells of all animals.
On the CPU, the list of the limbs' cells is worked off in runs that stay in its cache.

Shapes: B images, N animals, K keypoints, L edges, h x w cells.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

Overlap = Literal["nearest", "last"]
"""Which animal a cell is given where several claim it."""

_TOLERANCE = 1e-4
"""Cells by which a limb may seem longer, for its ends to count as its own."""

_RUN = 2**17
"""Cells along limbs that are drawn together on the CPU, about."""


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
    keys = _keys(animal, n, nearness if overlap == "nearest" else None)
    ones = torch.ones_like(squared)
    ways = ((x / unit)[..., None, :].expand_as(squared), (y / unit)[..., None].expand_as(squared))
    disc = _Canvas.blank((b, k, *size), points)
    disc.draw(one, None, ones)
    way, mask = (_Canvas.blank((b, 2 * k, *size), points) for _ in range(2))
    way.draw(two, keys, *ways)
    mask.draw(two, None, ones, ones)
    return Discs(disc.maps(), way.maps(), mask.maps())


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
    fields = _Canvas.blank((b, 2 * count, *size), keypoints)
    # limbs of a map follow one another
    keypoints, known = keypoints.transpose(1, 2), known.transpose(1, 2)
    known = (known[:, edges[:, 0]] & known[:, edges[:, 1]]).flatten()  # (M,), M = B L N
    start, stop = (keypoints[:, edges[:, end]].flatten(0, 2) for end in (0, 1))  # (M, 2)
    start, stop = (end.masked_fill(~known[:, None], 0.0) for end in (start, stop))
    length = (stop - start).norm(dim=-1)
    unit = (stop - start) / length.clamp(min=1e-12)[:, None]

    # A limb is walked along x or y, whichever it is nearer to: the major axis. At each step lies
    # a short row of cells along the minor axis, of the same length for all.
    steep = unit[:, 1].abs() > unit[:, 0].abs()
    lead, lean = _by_axis(unit, steep)
    major, minor = _by_axis(start, steep)
    ends, reach = torch.stack([major, major + lead * length]), width * lean.abs()
    low, high = ends.amin(dim=0) - reach, ends.amax(dim=0) + reach
    high = torch.minimum(high, torch.where(steep, rows - 1, columns - 1))
    long = known & (length > 0)
    lead, high = torch.where(long, lead, 1.0), torch.where(long, high, -1.0)
    limb, step, walked = _walk(low.clamp(min=0).ceil(), high.floor(), max(size))  # (P,)

    # The row ends at the sides of the limb, where the limb ends, and at the border of the map.
    level = torch.where(lean.abs() < _TOLERANCE**2, _TOLERANCE**2, lean)
    stops = torch.stack([torch.full_like(length, -_TOLERANCE), length + _TOLERANCE]) / level
    border = torch.where(steep, columns, rows) - 1
    fall = lead.abs() / width  # of the weight from a cell to the next one
    table = torch.stack(
        [major, 1 / lead, minor, lean, 1 / fall, 1 / level, *stops.sort(dim=0).values, border]
    )
    major, rate, minor, lean, half, bend, left, right, border = table.index_select(1, limb).unbind()
    progress = (step - major) * rate  # along the limb, where its line crosses
    centre = torch.addcmul(minor, progress, lean)
    first = torch.ceil(centre - half)
    before = first - centre
    turned = torch.addcmul(before, progress, bend)
    left = torch.maximum(left - turned, -first).clamp_(min=0).ceil_()
    right = torch.minimum(torch.minimum(right - turned, half - before), border - first).floor_()
    crossed = walked & (left <= right)
    left, right = (torch.where(crossed, side, 0.0) for side in (left, right))

    whole = torch.int32 if len(fields.cells) < 2**31 else torch.int64
    rank = torch.arange(len(start), device=limb.device)
    field = torch.div(rank, max(n, 1), rounding_mode="floor") * (2 * area)
    field, beside, animal = (
        values.to(whole).index_select(0, limb)
        for values in (field, torch.where(steep, 1, columns), rank % max(n, 1))
    )
    begin = torch.addcmul(field, step.to(whole), columns + 1 - beside)
    begin = torch.where(crossed, begin.addcmul_(first.to(whole), beside), fields.nowhere)
    x, y, fall = torch.stack([*unit.unbind(1), fall]).index_select(1, limb).unbind(0)

    # (C, P) from here on: the longer axis last, for each pass runs along it. Beyond the ends of a
    # row its last cells are drawn again.
    across = torch.arange(int(2 * math.sqrt(2) * width) + 1, device=limb.device)[:, None]
    across = across.to(before.dtype)
    values = (begin, beside, animal, left, right, before * fall, fall, x, y)
    sizes = _run_sizes(limb, n, len(across))
    for run in zip(*(value.split(sizes) for value in values)):
        begin, beside, animal, left, right, before, fall, x, y = run
        away = torch.clamp(across, left, right)
        cell = away.to(whole)
        cell = torch.addcmul(begin, cell, beside, out=cell)
        weight = torch.addcmul(before, away, fall, out=away).abs_()
        weight = torch.sub(1, weight, out=weight).clamp_(min=0)
        keys = _keys(animal, n, weight if overlap == "nearest" else None)
        keys = None if keys is None else keys.expand_as(cell)
        fields.draw(cell, keys, weight * x, weight.mul_(y))
    return fields.maps()


def _walk(low: Tensor, high: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the steps from `low` to `high` of each limb: limb, step, and whether it is one.

    On the CPU those alone; elsewhere, where to count them would make the device wait, and where
    shapes must not depend on values, `most` steps of each limb.
    """
    count = (high - low + 1).clamp_(min=0).nan_to_num_(0.0)
    if low.device.type == "cpu":
        limb = torch.repeat_interleave(count.long())
        before = count.cumsum(dim=0) - count - low
        step = torch.arange(len(limb), dtype=low.dtype) - before.index_select(0, limb)
        return limb, step, torch.ones_like(limb, dtype=torch.bool)
    limb = torch.arange(len(low), device=low.device).repeat_interleave(most)
    step = torch.arange(most, device=low.device, dtype=low.dtype)
    return limb, (step + low[:, None]).flatten(), (step < count[:, None]).flatten()


def _run_sizes(limb: Tensor, animals: int, across: int) -> list[int]:
    """Return into how many steps each the ones of all limbs ``(P,)`` are split.

    On the CPU so that a run has about `_RUN` cells, elsewhere not at all. A run ends where a map
    does: the limbs of one are drawn together, for they contend for its cells.

    Args:
        limb: limb of each step, in order; `animals` of them are of the same map.
        animals: number of animals N.
        across: cells at each step.
    """
    if limb.device.type != "cpu":
        return [len(limb)]
    near = limb[:: max(_RUN // across, 1)]
    starts = torch.searchsorted(limb, near - near % max(animals, 1)).unique()
    return starts.diff(append=starts.new_tensor([len(limb)])).tolist()


def _keys(animal: Tensor, animals: int, nearness: Tensor | None) -> Tensor | None:
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


class _Canvas(NamedTuple):
    """Maps to draw in.

    Args:
        cells: float32, the cells of all maps in a row, and then those of one more map and one more
            cell: what is not to be drawn goes there, so that shapes do not depend on values.
        shape: of the maps, ``(B, C, h, w)``.
    """

    cells: Tensor
    shape: tuple[int, ...]

    @classmethod
    def blank(cls, shape: tuple[int, int, int, int], like: Tensor) -> _Canvas:
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

    def draw(self, cell: Tensor, keys: Tensor | None, *values: Tensor) -> None:
        """Draw entries in cells that are blank.

        Args:
            cell: int32 or int64 ``(...)``, in the first of each entry's maps, or `nowhere`.
            keys: int32 ``(...)``, see `_keys`; None where entries that share a cell are alike.
            values: float32 ``(...)``, one for each of an entry's maps, which follow one another.
        """
        at = cell.flatten().long()
        if keys is not None:
            # the first map holds the keys until it is drawn: each cell with one has a winner
            keys, board = keys.flatten(), self.cells.view(torch.int32)
            board.scatter_reduce_(0, at, keys, "amax")
            lost = board.index_select(0, at).sub_(keys).clamp_(max=1).to(cell.dtype)
            lost = lost.mul_(self.nowhere)
            at = torch.maximum(lost, cell.flatten(), out=lost).long()
        for index, value in enumerate(values):
            first = index * math.prod(self.shape[2:])
            self.cells[first:].scatter_(0, at, value.reshape(-1))

    def maps(self) -> Tensor:
        """Return the maps ``(B, C, h, w)``."""
        return self.cells[: self.nowhere].view(self.shape)


def _by_axis(vectors: Tensor, steep: Tensor) -> tuple[Tensor, Tensor]:
    """Return y and x of vectors ``(M, 2)`` that are steep, x and y of the others."""
    x, y = vectors.unbind(dim=-1)
    return torch.where(steep, y, x), torch.where(steep, x, y)
