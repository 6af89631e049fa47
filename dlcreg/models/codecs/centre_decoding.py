"""From maps of centres and offsets to poses: candidates, and which of them remain.

Coordinates are in cells, the centre of the first at 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcreg.models.codecs import maps
from dlcreg.models.codecs.pose_nms import pose_nms
from dlcreg.structures import Poses


class Candidates(NamedTuple):
    """Poses that centres speak of, before those found more than once are taken away.

    Args:
        cells: keypoints ``(B, P, K, 2)`` as x, y in cells; NaN for those that were not found.
        centre: value of the map of centres ``(B, P)``.
        found: bool ``(B, P)``; False for the rows that only pad.
    """

    cells: Tensor
    centre: Tensor
    found: Tensor


@dataclass(frozen=True)
class Search:
    """How centres are looked for.

    Args:
        candidates: number of centres of an image that are looked at.
        threshold: least value of a centre.
        window: cells along x and y in which a centre is the highest; None: 3, and on large maps 5
            or 7.

    Raises:
        ValueError: values that make no sense.
    """

    candidates: int
    threshold: float
    window: int | None

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ValueError(f"candidates must be at least 1, not {self.candidates}")
        if self.window is not None and (self.window < 1 or self.window % 2 == 0):
            raise ValueError(f"window must be odd and at least 1 cell, or None, not {self.window}")

    def __call__(self, centre: Tensor, offset: Tensor) -> Candidates:
        """Return the poses of the highest centres; a cell without a number is none.

        Args:
            centre: map ``(B, h, w)`` of centres.
            offset: ``(B, 2K, h, w)``, cell minus keypoint.
        """
        h, w = centre.shape[1:]
        window = self.window or _window(h, w)
        centre = torch.where(centre.isfinite(), centre, 0.0)
        value, index = highest(centre[:, None], window, self.candidates)
        value, index = value[:, 0], index[:, 0]
        ways = offset.flatten(2).gather(2, index[:, None].expand(-1, offset.shape[1], -1))
        ways = ways.unflatten(1, (-1, 2)).permute(0, 3, 1, 2)  # (B, P, K, 2)
        cell = cell_of(index, w).to(ways.dtype)
        return Candidates(cell[:, :, None] - ways, value, value > self.threshold)


@dataclass(frozen=True)
class Selection:
    """Which candidates are animals, and how sure that is; arguments as of `DEKROffsets`.

    Raises:
        ValueError: values that make no sense.
    """

    nms: float
    nms_keypoints: int | None
    nms_order: Literal["heatmap", "centre"]
    scores: Literal["combined", "centre"]
    num_individuals: int | None

    def __post_init__(self) -> None:
        if not 0 <= self.nms < math.inf:
            raise ValueError(f"nms must be a number from 0 on, not {self.nms:g}")
        if self.nms_keypoints is not None and self.nms_keypoints < 0:
            raise ValueError(f"nms_keypoints must be at least 0, or None, not {self.nms_keypoints}")
        if self.num_individuals is not None and self.num_individuals < 1:
            raise ValueError(f"num_individuals must be at least 1, not {self.num_individuals}")

    def __call__(self, found: Candidates, heat: Tensor) -> Poses:
        """Return the poses that remain, the best first, in cells; scores are not clipped.

        A keypoint that is no number, or lies where the heatmap has none, was not found: NaN, with
        the score 0.

        Args:
            found: the candidates.
            heat: values ``(B, P, K)`` of the heatmaps at their keypoints.
        """
        there = found.cells.isfinite().all(dim=-1) & heat.isfinite()
        cells = found.cells.masked_fill(~there[..., None], torch.nan)
        heat = heat.masked_fill(~there, 0.0)
        count = heat.shape[-1] // 2 if self.nms_keypoints is None else self.nms_keypoints
        quality = heat.mean(dim=-1) if self.nms_order == "heatmap" else found.centre
        kept = pose_nms(cells, quality, found.found & there.any(dim=-1), self.nms, count, least=0.5)
        scores = (found.centre[..., None] * there).expand_as(heat)
        scores = scores * heat if self.scores == "combined" else scores
        return best(Poses(cells, scores, scores.mean(dim=-1), kept), self.num_individuals)


def best(poses: Poses, most: int | None = None) -> Poses:
    """Return poses in the order of their scores, padding last and as zeros, at most so many."""
    most = min(most or poses.valid.shape[1], poses.valid.shape[1])
    overall = poses.instance_scores.masked_fill(~poses.valid, -torch.inf)
    order = overall.argsort(dim=1, descending=True, stable=True)[:, :most]
    valid = poses.valid.gather(1, order)
    of_points = order[..., None].expand(-1, -1, poses.scores.shape[-1])
    keypoints = poses.keypoints.gather(1, of_points[..., None].expand(-1, -1, -1, 2))
    return Poses(
        keypoints.masked_fill(~valid[..., None, None], 0.0),
        poses.scores.gather(1, of_points).masked_fill(~valid[..., None], 0.0),
        overall.gather(1, order).masked_fill(~valid, 0.0),
        valid,
    )


def together(found: list[Candidates], main: int, share: float) -> Candidates:
    """Return the candidates of several scales as one.

    As in DEKR, the centres of the others are rescaled so that the highest is `share` of the highest
    of the main one: a network is not equally sure of what it sees at other scales.

    Args:
        found: of each scale, in cells of one and the same map.
        main: which scale is not rescaled.
        share: see above.
    """
    tops = [one.centre.amax(dim=1, keepdim=True) for one in found]
    aim = tops[main].clamp(min=0) * share
    centres = [
        one.centre if index == main else one.centre * (aim / top.clamp(min=1e-6))
        for index, (one, top) in enumerate(zip(found, tops, strict=True))
    ]
    cells = torch.cat([one.cells for one in found], dim=1)
    return Candidates(cells, torch.cat(centres, 1), torch.cat([one.found for one in found], 1))


def highest(heatmap: Tensor, window: int, count: int) -> tuple[Tensor, Tensor]:
    """Return values and flat cells ``(B, K, P)`` of the cells that are the highest around them.

    Args:
        heatmap: ``(B, K, h, w)``.
        window: cells along x and y that are looked at, odd.
        count: cells of each map, the highest; with fewer of them, the rest have the value 0.
    """
    around = F.max_pool2d(heatmap, window, stride=1, padding=window // 2)
    peaks = torch.where(heatmap == around, heatmap, 0.0).flatten(2)
    value, index = peaks.topk(min(count, peaks.shape[-1]), dim=-1)
    return value, index


def cell_of(index: Tensor, width: int) -> Tensor:
    """Return x, y ``(..., 2)`` of flat cells."""
    return torch.stack([index % width, torch.div(index, width, rounding_mode="floor")], dim=-1)


def read_maps(heatmap: Tensor, cells: Tensor) -> Tensor:
    """Return the values of maps between their cells, ``(B, P, K)``; the nearest value outside.

    Args:
        heatmap: ``(B, K, h, w)``.
        cells: x, y ``(B, P, K, 2)``; the values of those that are no numbers mean nothing.
    """
    h, w = heatmap.shape[-2:]
    cells = cells.nan_to_num()
    x = cells[..., 0].clamp(0, w - 1).transpose(1, 2)  # (B, K, P)
    y = cells[..., 1].clamp(0, h - 1).transpose(1, 2)
    left, top = x.floor().clamp(max=max(w - 2, 0)), y.floor().clamp(max=max(h - 2, 0))
    right, bottom = (left + 1).clamp(max=w - 1), (top + 1).clamp(max=h - 1)

    def at(row: Tensor, column: Tensor) -> Tensor:
        return maps.cells_at(heatmap, row.long(), column.long())

    upper = torch.lerp(at(top, left), at(top, right), x - left)
    lower = torch.lerp(at(bottom, left), at(bottom, right), x - left)
    return torch.lerp(upper, lower, y - top).transpose(1, 2)


def _window(height: int, width: int) -> int:
    mean = (height + width) / 2
    return 7 if mean > 300 else 5 if mean > 200 else 3
