"""How well two detections go together: part affinity fields along the line between them.

Shapes: B images, K keypoints, M detections of a keypoint, L edges, P points, h x w cells.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Affinity = Literal["line", "deeplabcut"]


def edge_affinities(
    fields: Tensor, cells: Tensor, edges: Tensor, points: int = 10, affinity: Affinity = "line"
) -> Tensor:
    """Return the affinities ``(B, L, M, M)`` of all pairs of detections that an edge links.

    Args:
        fields: part affinity fields ``(B, 2L, h, w)``, channels x0 y0 x1 y1 ...
        cells: int64 ``(B, K, M, 2)``, columns and rows of the detections.
        edges: int64 ``(L, 2)``.
        points: cells to read on the way from one detection to the other, both ends among them.
        affinity: ``line`` is the line integral of the field divided by the length of the way, the
            mean of its component in the direction of the way (Cao et al., 2017): 1 for a
            perfect field, negative for one that points back. ``deeplabcut`` is the length of the
            vector of the integrals along x and along y, rounded to 3 decimals: it does not tell
            directions, and is smaller for a diagonal limb than for one along an axis.
    """
    b, channels, height, width = fields.shape
    area = height * width
    # x and y apart, and the points first: each pass runs along all pairs
    starts = [part[:, edges[:, 0], :, None] for part in cells.unbind(-1)]  # (B, L, M, 1)
    ways = [part[:, edges[:, 1], None] - start for part, start in zip(cells.unbind(-1), starts)]
    # 0.5 to the nearest cell; DeepLabCut takes the one below
    rounding = 0.0 if affinity == "deeplabcut" else 0.5
    read = [_points(*line, points, rounding) for line in zip(starts, ways)]  # (P, B, L, M, M)
    plane = torch.arange(0, b * channels, 2, device=fields.device) * area
    index = read[1].mul(width).add_(read[0]).long() + plane.view(b, channels // 2, 1, 1)
    flat = fields.reshape(-1)
    values = [flat[first:].gather(0, index.flatten()).view_as(index) for first in (0, area)]
    along, down = (way.to(flat.dtype) for way in ways)
    length = torch.hypot(along, down)
    if affinity == "deeplabcut":
        across, below = (
            (jumps.diff(dim=0).to(flat.dtype) * (value[1:] + value[:-1]) / 2).sum(dim=0)
            for jumps, value in zip(read, values)
        )
        scaled = torch.hypot(across, below) / (length + torch.finfo(torch.float32).eps)
        return (scaled * 1000).round() / 1000
    x, y = ((value.sum(0) - (value[0] + value[-1]) / 2) / (points - 1) for value in values)
    return (x * along + y * down) / length.clamp(min=1.0)


def _points(start: Tensor, way: Tensor, points: int, rounding: float) -> Tensor:
    """Return the cells ``(P, B, L, M, M)`` on ways along one axis, whole numbers.

    Args:
        start: int64 ``(B, L, M, 1)``.
        way: int64 ``(B, L, M, M)``.
        points: their number P, both ends among them.
        rounding: what is added before a number is cut off.
    """
    # in double precision, and the end as it is: whether a place is cut off to one cell or to the
    # one before hangs on the last bit
    exact = torch.float32 if way.device.type == "mps" else torch.float64  # which MPS has not
    steps = torch.arange(points, device=way.device, dtype=exact).view(-1, 1, 1, 1, 1)
    places = (way.to(exact) / (points - 1) * steps).add_(start)
    places[-1] = start + way
    return places.add_(rounding).floor_()
