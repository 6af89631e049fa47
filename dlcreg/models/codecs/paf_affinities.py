"""How well two detections go together: part affinity fields along the line between them.

Shapes: B images, K keypoints, M detections of a keypoint, L edges, h x w cells.
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
    b, _, height, width = fields.shape
    count = len(edges)
    start = cells[:, edges[:, 0], :, None]  # (B, L, M, 1, 2)
    stop = cells[:, edges[:, 1], None]  # (B, L, 1, M, 2)
    way = stop - start  # (B, L, M, M, 2)
    count_up = torch.arange(points, device=fields.device)[:, None]
    # in double precision, and the end as it is: whether a place is cut off to one cell or to the
    # one before hangs on the last bit
    exact = torch.float32 if way.device.type == "mps" else torch.float64  # which MPS has not
    places = start[..., None, :] + count_up * (way.to(exact) / (points - 1))[..., None, :]
    places[..., -1, :] = start + way  # (B, L, M, M, P, 2)
    # 0.5 to the nearest cell; DeepLabCut takes the one below
    read = places.floor() if affinity == "deeplabcut" else (places + 0.5).floor()
    index = (read[..., 1] * width + read[..., 0]).long().flatten(2)  # (B, L, M M P)
    flat = fields.reshape(b, count, 2, height * width)
    values = flat.gather(-1, index[:, :, None].expand(b, count, 2, index.shape[-1]))
    values = values.view(b, count, 2, *places.shape[2:-1]).movedim(2, -1)  # as places
    way = way.to(values.dtype)
    length = way.norm(dim=-1)
    if affinity == "deeplabcut":
        jumps = read.diff(dim=-2).to(values.dtype)
        means = (values[..., 1:, :] + values[..., :-1, :]) / 2
        integral = (means * jumps).sum(dim=-2).norm(dim=-1)
        scaled = integral / (length + torch.finfo(torch.float32).eps)
        return (scaled * 1000).round() / 1000
    ends = values[..., 0, :] + values[..., -1, :]
    mean = (values.sum(dim=-2) - ends / 2) / (points - 1)
    return (mean * way).sum(dim=-1) / length.clamp(min=1.0)
