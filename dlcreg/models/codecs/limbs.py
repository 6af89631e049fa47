"""Drawing bands along limbs: part affinity fields.

A limb is walked along x or y, whichever it is nearer to: its major axis. At each step lies a short
row of cells along the minor axis, which ends at the sides of the limb, where the limb ends, and at
the border of the map. The rows of all limbs of a batch are worked off at once, each with as many
cells as the longest.

On the CPU in parts, so that what is drawn stays in its cache: runs of maps, and in each run the
limbs near an axis, whose rows are shorter, apart from the others.

Shapes: B images, N animals, K keypoints, L edges, M = B L N limbs, h x w cells, P steps of all
limbs, in G blocks of W, C cells of a row.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from dlcreg.models.codecs.drawing import Canvas, Overlap, Stroke, keys_of

_TOLERANCE = 1e-4
"""Cells by which a limb may seem longer, for its ends to count as its own."""

_RUN = 2**18
"""Cells along limbs that are drawn together on the CPU, about."""

_BLOCK = 256
"""Steps on the CPU whose rows are drawn cell by cell before those of the next ones."""

_SHORT = 1.2
"""Rows are short up to this times the length of those of limbs along an axis."""


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
    b, n = keypoints.shape[:2]
    fields = Canvas.blank((b, 2 * len(edges), *size), keypoints)
    if 0 in (b, n, len(edges)):
        return fields.maps()
    limbs = _limbs(keypoints, known, edges, size, width)
    lengths = [int(2 * math.sqrt(2) * width) + 1]
    if keypoints.device.type == "cpu":
        lengths.insert(0, int(2 * _SHORT * width) + 1)
        limbs, steps, sizes = _in_parts(limbs, n, lengths)
        block = _BLOCK
        limb = torch.repeat_interleave(steps)
        before = steps.cumsum(dim=0) - steps - limbs.low
        step = torch.arange(len(limb), dtype=before.dtype) - before.index_select(0, limb)
    else:
        # to count the steps would make the device wait, and shapes must not depend on values
        most = torch.arange(max(size), device=keypoints.device)
        limb = limbs.order.repeat_interleave(len(most))
        step = (limbs.low[:, None] + most).flatten()
        block, sizes = len(limb), [len(limb)]
    rows = _rows(limbs, limb, step, size, n, fields)
    blocks = [value.view(-1, 1, block).split([s // block for s in sizes]) for value in rows]
    parts = [_Rows(*part) for part in zip(*blocks)]
    for first in range(0, len(parts), len(lengths)):
        run = zip(parts[first : first + len(lengths)], lengths)
        fields.draw(*(_stroke(part, length, n, overlap) for part, length in run))
    return fields.maps()


class _Limbs(NamedTuple):
    """Limbs, each ``(M,)``; those of a map follow one another.

    Args:
        order: int64, the number of the limb.
        steep: whether y is the major axis.
        x: of the unit vector along the limb.
        y: likewise.
        lead: of the unit vector, along the major axis; 1 where the limb draws nothing.
        lean: likewise, along the minor axis.
        major: where the limb starts, in cells.
        minor: likewise.
        length: cells.
        fall: of the weight from a cell of a row to the next one.
        low: first step, in cells along the major axis.
        high: last step; before the first one where the limb draws nothing.
    """

    order: Tensor
    steep: Tensor
    x: Tensor
    y: Tensor
    lead: Tensor
    lean: Tensor
    major: Tensor
    minor: Tensor
    length: Tensor
    fall: Tensor
    low: Tensor
    high: Tensor


def _limbs(
    keypoints: Tensor, known: Tensor, edges: Tensor, size: tuple[int, int], width: float
) -> _Limbs:
    """Return all limbs; arguments as of `limb_fields`."""
    keypoints, known = keypoints.transpose(1, 2), known.transpose(1, 2)
    known = (known[:, edges[:, 0]] & known[:, edges[:, 1]]).flatten()
    start, stop = (keypoints[:, edges[:, end]].flatten(0, 2) for end in (0, 1))  # (M, 2)
    start, stop = (end.masked_fill(~known[:, None], 0.0) for end in (start, stop))
    length = (stop - start).norm(dim=-1)
    unit = (stop - start) / length.clamp(min=1e-12)[:, None]
    steep = unit[:, 1].abs() > unit[:, 0].abs()
    lead, lean = _by_axis(unit, steep)
    major, minor = _by_axis(start, steep)
    ends, reach = torch.stack([major, major + lead * length]), width * lean.abs()
    low, high = ends.amin(dim=0) - reach, ends.amax(dim=0) + reach
    high = torch.minimum(high, torch.where(steep, size[0] - 1, size[1] - 1))
    long = known & (length > 0)
    lead, high = torch.where(long, lead, 1.0), torch.where(long, high, -1.0)
    order = torch.arange(len(length), device=length.device)
    low, high, fall = low.clamp(min=0).ceil(), high.floor(), lead.abs() / width
    x, y = unit.unbind(1)
    return _Limbs(order, steep, x, y, lead, lean, major, minor, length, fall, low, high)


def _by_axis(vectors: Tensor, steep: Tensor) -> tuple[Tensor, Tensor]:
    """Return y and x of vectors ``(M, 2)`` that are steep, x and y of the others."""
    x, y = vectors.unbind(dim=-1)
    return torch.where(steep, y, x), torch.where(steep, x, y)


def _in_parts(limbs: _Limbs, animals: int, lengths: list[int]) -> tuple[_Limbs, Tensor, list[int]]:
    """Return limbs part by part, the steps of each ``(M,)``, and those of each part.

    A part of short rows and one of long ones are a run. The limbs of a map are of the same one, for
    they contend for its cells. The last limb of each part is walked further, beyond its end, for
    the steps to fill all blocks.

    Args:
        limbs: all limbs.
        animals: number of animals N.
        lengths: cells of short and of long rows.
    """
    steps = (limbs.high - limbs.low + 1).clamp_(min=0).nan_to_num_(0.0)
    of_map = steps.view(-1, animals).sum(dim=1)
    run = ((of_map.cumsum(dim=0) - of_map) * (lengths[1] / _RUN)).long()
    part = 2 * run.repeat_interleave(animals) + (torch.floor(2 / limbs.fall) >= lengths[0])
    order, count = part.argsort(stable=True), 2 * int(run[-1]) + 2
    part, steps = part.index_select(0, order), steps.index_select(0, order).to(torch.int32)
    total = torch.bincount(part, steps, minlength=count).long()
    last = torch.bincount(part, minlength=count).cumsum(dim=0) - 1
    more = -total % _BLOCK  # none where a part has no limb
    steps = steps.index_add_(0, last.clamp_(min=0), more.to(steps.dtype))
    sorted_limbs = _Limbs(*(value.index_select(0, order) for value in limbs))
    return sorted_limbs, steps, (total + more).tolist()


class _Rows(NamedTuple):
    """Rows of cells, one for each step, each ``(P,)`` or ``(G, 1, W)``.

    Args:
        begin: int32 or int64, the first cell at the near side of the limb, or `Canvas.nowhere`.
        beside: likewise, the way from a cell of the row to the next one.
        animal: likewise.
        left: float, which cell of the row is the first that the limb covers.
        right: likewise, the last one.
        before: float, where the row begins: its way from the line, 1 at the sides of the limb.
        fall: float, that way from a cell to the next one.
        x: of the unit vector along the limb.
        y: likewise.
    """

    begin: Tensor
    beside: Tensor
    animal: Tensor
    left: Tensor
    right: Tensor
    before: Tensor
    fall: Tensor
    x: Tensor
    y: Tensor


def _rows(
    limbs: _Limbs, limb: Tensor, step: Tensor, size: tuple[int, int], animals: int, fields: Canvas
) -> _Rows:
    """Return the row of each step.

    Args:
        limbs: the limbs.
        limb: int32 or int64 ``(P,)``, of each step.
        step: float ``(P,)``, where it lies along the major axis.
        size: h and w of the map.
        animals: number of animals N.
        fields: what is drawn in.
    """
    rows, columns = size
    level = torch.where(limbs.lean.abs() < _TOLERANCE**2, _TOLERANCE**2, limbs.lean)
    ends = torch.stack([torch.full_like(level, -_TOLERANCE), limbs.length + _TOLERANCE]) / level
    ends, border = ends.sort(dim=0).values, torch.where(limbs.steep, columns, rows) - 1
    along = torch.stack([limbs.major, 1 / limbs.lead, limbs.minor, limbs.lean, limbs.high])
    across = torch.stack([1 / limbs.fall, 1 / level, *ends, border, limbs.fall, limbs.x, limbs.y])
    major, rate, minor, lean, high = along.index_select(1, limb)
    half, bend, left, right, border, fall, x, y = across.index_select(1, limb)
    progress = (step - major) * rate  # along the limb, where its line crosses
    centre = torch.addcmul(minor, progress, lean)
    first = torch.ceil(centre - half)
    before = first - centre
    turned = torch.addcmul(before, progress, bend)
    left = torch.maximum(left - turned, -first).clamp_(min=0).ceil_()
    right = torch.minimum(torch.minimum(right - turned, half - before), border - first).floor_()
    crossed = (left <= right) & (step <= high)
    left, right = (torch.where(crossed, side, 0.0) for side in (left, right))

    whole = torch.int32 if len(fields.cells) < 2**31 else torch.int64
    field = torch.div(limbs.order, animals, rounding_mode="floor") * (2 * rows * columns)
    beside = torch.where(limbs.steep, 1, columns)
    field, beside, animal = (
        values.to(whole).index_select(0, limb) for values in (field, beside, limbs.order % animals)
    )
    begin = torch.addcmul(field, step.to(whole), columns + 1 - beside)
    begin = torch.where(crossed, begin.addcmul_(first.to(whole), beside), fields.nowhere)
    return _Rows(begin, beside, animal, left, right, before * fall, fall, x, y)


def _stroke(rows: _Rows, length: int, animals: int, overlap: Overlap) -> Stroke:
    """Return the cells ``(G, C, W)`` of rows; beyond the ends of a row its last ones again.

    The longest axis is the last one, for each pass runs along it.
    """
    away = torch.arange(length, device=rows.left.device, dtype=rows.left.dtype)[:, None]
    away = torch.clamp(away, rows.left, rows.right)
    cell = away.to(rows.begin.dtype)
    cell = torch.addcmul(rows.begin, cell, rows.beside, out=cell)
    weight = torch.addcmul(rows.before, away, rows.fall, out=away).abs_()
    weight = torch.sub(1, weight, out=weight).clamp_(min=0)
    keys = keys_of(rows.animal, animals, weight if overlap == "nearest" else None)
    keys = None if keys is None else keys.expand_as(cell)
    return Stroke(cell, keys, (weight * rows.x, weight.mul_(rows.y)))
