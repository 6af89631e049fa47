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
    points = keypoints.masked_fill(~known[..., None], 0.0).flatten(0, 2)  # (M, 2), M = B N K
    first = torch.ceil(points - radius)
    steps = torch.arange(int(2 * radius) + 1, device=points.device)
    place = first[..., None] + steps  # (M, 2, C), cells along x and along y
    way = points[..., None] - place
    limits = points.new_tensor([size[1], size[0]])[:, None]
    within = (place >= 0) & (place < limits)
    distance = way[:, 0, None].square() + way[:, 1, :, None].square()  # (M, C, C), y and x
    inside = (distance <= radius**2) & within[:, 0, None] & within[:, 1, :, None]
    drawn, real = _listed(inside & known.flatten()[:, None, None])

    point = torch.div(drawn, len(steps) ** 2, rounding_mode="floor")
    down = torch.div(drawn, len(steps), rounding_mode="floor")
    across = (drawn - down * len(steps)) + point * 2 * len(steps)  # in `place` and `way`
    down = down + (point + 1) * len(steps)
    column, row = (place.flatten().index_select(0, at).long() for at in (across, down))
    image = torch.div(point, n * k, rounding_mode="floor") if n else point
    channel = image * k + point % max(k, 1)
    animal = torch.div(point, k, rounding_mode="floor") % n if n else point
    nearness = 1 - distance.flatten().index_select(0, drawn) / radius**2
    canvas = _Canvas(b * k, area, n, overlap)
    cells = canvas.cells(channel, row * size[1] + column, animal, nearness, real)
    x, y = (way.flatten().index_select(0, at) for at in (across, down))
    disc = canvas.draw(cells, torch.ones_like(x))
    ways = canvas.draw(cells, x, y)
    return Discs(disc.view(b, k, *size), ways.view(b, 2 * k, *size))


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
    major_cells, minor_cells = (torch.where(steep, *pair) for pair in ((rows, columns), size[::-1]))
    major_jump, minor_jump = (torch.where(steep, *pair) for pair in ((columns, 1), (1, columns)))
    steps = torch.arange(max(size), device=start.device)
    ends, reach = torch.stack([major, major + lead * length]), width * lean.abs()
    low, high = ends.amin(dim=0) - reach, ends.amax(dim=0) + reach
    walked = (steps >= low[:, None]) & (steps <= high[:, None]) & (steps < major_cells[:, None])
    chosen, real = _listed(walked & (known & (length > 0))[:, None])  # (P,)
    limb = torch.div(chosen, len(steps), rounding_mode="floor")
    step = chosen - limb * len(steps)

    slope, tilt = lead.index_select(0, limb), lean.index_select(0, limb)
    progress = (step - major.index_select(0, limb)) / slope  # along the limb, on its line
    centre = minor.index_select(0, limb) + progress * tilt
    steepness = slope.abs() / width
    first = torch.ceil(centre - 1 / steepness)
    across = torch.arange(int(2 * math.sqrt(2) * width) + 1, device=limb.device)  # (C,)
    offset = (first - centre)[:, None] + across  # (P, C)
    weight = 1 - offset.abs() * steepness[:, None]
    progress = progress[:, None] + offset * tilt[:, None]
    inside = (weight >= 0) & (progress >= 0) & (progress <= length.index_select(0, limb)[:, None])
    last = minor_cells.index_select(0, limb) - 1 - first
    inside &= (across >= -first[:, None]) & (across <= last[:, None])
    drawn, real = _listed(inside & real[:, None])  # (Q,)

    place = torch.div(drawn, len(across), rounding_mode="floor")
    cell = step * major_jump.index_select(0, limb) + first.long() * minor_jump.index_select(0, limb)
    limb = limb.index_select(0, place)
    cell = cell.index_select(0, place)
    cell = cell + (drawn - place * len(across)) * minor_jump.index_select(0, limb)
    weight = weight.flatten().index_select(0, drawn)
    image = torch.div(limb, max(n * count, 1), rounding_mode="floor")
    animal = torch.div(limb, max(count, 1), rounding_mode="floor") - image * n
    canvas = _Canvas(b * count, rows * columns, n, overlap)
    cells = canvas.cells(image * count + limb % count, cell, animal, weight, real)
    x, y = (unit[:, axis].index_select(0, limb) * weight for axis in (0, 1))
    return canvas.draw(cells, x, y).view(b, 2 * count, rows, columns)


class _Canvas:
    """Maps that lists of cells are drawn into.

    Args:
        maps: number of maps.
        area: cells of each map.
        animals: number of animals N.
        overlap: which animal a cell is given where several claim it.
    """

    def __init__(self, maps: int, area: int, animals: int, overlap: Overlap) -> None:
        self.maps, self.area, self.animals, self.overlap = maps, area, animals, overlap

    def cells(
        self, channel: Tensor, cell: Tensor, animal: Tensor, nearness: Tensor, real: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return map and cell of each entry; one after the last for those that are not drawn.

        Args:
            channel: int64, the map.
            cell: int64, the cell in that map.
            animal: int64.
            nearness: float32 from 0 on, how near an entry is to what is drawn.
            real: bool, whether an entry is to be drawn.
        """
        outside = self.maps * self.area
        flat = torch.where(real, channel * self.area + cell, outside)
        if self.animals > 1:
            rank = animal.to(torch.int32)
            key = rank if self.overlap == "last" else self._key(nearness, rank)
            best = torch.full((outside + 1,), -1, dtype=torch.int32, device=key.device)
            best.scatter_reduce_(0, flat, key, "amax")
            real = real & (best.index_select(0, flat) == key)
        return channel, torch.where(real, cell, -1)

    def _key(self, nearness: Tensor, rank: Tensor) -> Tensor:
        """Return ints in the order of `nearness`, no two of a cell alike.

        Floats from 0 on are ordered as the integers of the same bits, the last ones of which give
        way to the number of the animal.
        """
        low = (1 << (self.animals - 1).bit_length()) - 1
        return (nearness.clamp(min=0).view(torch.int32) & ~low) | (low - rank)

    def draw(self, cells: tuple[Tensor, Tensor], *values: Tensor) -> Tensor:
        """Return maps with each entry's values, those of one map after those of the other.

        Args:
            cells: of `cells`.
            values: float ``(Q,)`` each.
        """
        channel, cell = cells
        outside = self.maps * len(values) * self.area
        drawn = values[0].new_zeros(outside + 1)
        for index, value in enumerate(values):
            flat = (channel * len(values) + index) * self.area + cell
            drawn.scatter_(0, torch.where(cell >= 0, flat, outside), value)
        return drawn[:outside]


def _listed(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return flat indices of the entries to look at, and which of them are True in `mask`.

    On the CPU those that are True; elsewhere, where to count them would make the device wait, and
    where shapes must not depend on values, all of them.
    """
    mask = mask.flatten()
    if mask.device.type == "cpu":
        index = mask.nonzero()[:, 0]
        return index, torch.ones_like(index, dtype=torch.bool)
    return torch.arange(len(mask), device=mask.device), mask


def _by_axis(vectors: Tensor, steep: Tensor) -> tuple[Tensor, Tensor]:
    """Return y and x of vectors ``(M, 2)`` that are steep, x and y of the others."""
    x, y = vectors.unbind(dim=-1)
    return torch.where(steep, y, x), torch.where(steep, x, y)
