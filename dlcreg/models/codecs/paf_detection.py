"""Keypoints of any number of animals in heatmaps, before anybody knows whose they are.

Shapes: B images, K keypoints, M detections of a keypoint, h x w cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcreg.models.codecs import maps
from dlcreg.models.codecs.maps import Peaks

PeakScore = Literal["peak", "blurred"]
Search = Literal["refined", "blurred"]


class Detections(NamedTuple):
    """What was found of each keypoint, the most likely first.

    Args:
        keypoints: float ``(B, K, M, 2)``, x, y in pixels.
        cells: int64 ``(B, K, M, 2)``, column and row of the peak.
        scores: float ``(B, K, M)``.
        found: bool ``(B, K, M)``; False for the rows that only pad.
    """

    keypoints: Tensor
    cells: Tensor
    scores: Tensor
    found: Tensor


@dataclass(frozen=True)
class Detector:
    """Finds the local maxima of heatmaps.

    Looked for are the cells that are at once likely and near to where location refinement points,
    ``heatmap * exp(-d**2 / 2)`` with the d cells that it points away: the discs of two animals
    have a peak each even where they overlap. Or, as in DeepLabCut and where there is no location
    refinement, the peaks of the smoothed heatmap.

    Args:
        locref_std: pixels for a location refinement of 1; None: a peak is read from a parabola.
        search: which of the two, see above.
        blur: standard deviation of the smoothing in cells; 0 for none. Its kernel has 11 cells.
        window: cells along each side of the window that a peak is the highest cell of, odd.
        threshold: of the map that is searched, from which on a peak counts.
        score: the heatmap at the peak as it is, or smoothed (``blurred``).
        apart: pixels within which two peaks of a keypoint are one; 0 keeps all.
    """

    locref_std: float | None
    search: Search = "refined"
    blur: float = 1.0
    window: int = 5
    threshold: float = 0.01
    score: PeakScore = "peak"
    apart: float = 0.0

    def __call__(
        self, heatmap: Tensor, locref: Tensor | None, most: int, stride: float, offset: float
    ) -> Detections:
        """Return the detections.

        Args:
            heatmap: likelihoods ``(B, K, h, w)``.
            locref: location refinement ``(B, 2K, h, w)`` in units of `locref_std` pixels, or None.
            most: detections of a keypoint to return at most, M.
            stride: pixels for each cell.
            offset: pixel coordinate of the centre of cell 0.
        """
        searched = self._searched(heatmap, locref, stride)
        peak = searched >= window_maximum(searched, self.window).clamp_(min=self.threshold)
        scored = searched if self.score == "blurred" else heatmap
        height, width = heatmap.shape[-2:]
        candidates = min(2 * most + 6 if self.apart else most, height * width)
        score, index = torch.where(peak, scored, -torch.inf).flatten(2).topk(candidates)
        row = torch.div(index, width, rounding_mode="floor")
        peaks = Peaks(score, index, index - row * width, row)
        cells, way = self._positions(searched, locref, peaks)
        keypoints = cells * stride + offset + way
        found = (score > -torch.inf) & keypoints.isfinite().all(dim=-1)
        if self.apart:
            found = found & ~self._repeated(keypoints, found)
        order = torch.where(found, score, -torch.inf).topk(min(most, candidates)).indices
        cells = torch.stack([peaks.column, peaks.row], dim=-1)
        pairs = order[..., None].expand(*order.shape, 2)
        return Detections(
            keypoints.gather(2, pairs),
            cells.gather(2, pairs),
            score.gather(2, order).clamp(0, 1),
            found.gather(2, order),
        )

    def _searched(self, heatmap: Tensor, locref: Tensor | None, stride: float) -> Tensor:
        """Return the maps ``(B, K, h, w)`` whose local maxima are the detections."""
        if self.search == "refined" and self.locref_std is not None and locref is not None:
            x, y = locref[:, 0::2], locref[:, 1::2]
            squared = (x * x).addcmul_(y, y)
            return (squared.mul_(-0.5 * (self.locref_std / stride) ** 2)).exp_().mul_(heatmap)
        return blurred(heatmap, self.blur) if self.blur else heatmap

    def _positions(
        self, searched: Tensor, locref: Tensor | None, peaks: Peaks
    ) -> tuple[Tensor, Tensor | float]:
        """Return the peaks ``(B, K, M, 2)`` in cells, and how many pixels further they lie."""
        if self.locref_std is None or locref is None:
            return maps.parabola_peak(searched, peaks), 0.0
        b, k, count = peaks.cell.shape
        places = peaks.cell[:, :, None].expand(b, k, 2, count)
        way = locref.flatten(2).unflatten(1, (k, 2)).gather(-1, places).transpose(2, 3)
        return maps.peak_centres(peaks, locref.dtype), way * self.locref_std

    def _repeated(self, keypoints: Tensor, found: Tensor) -> Tensor:
        """Return which detections ``(B, K, M)`` lie within `apart` of a better one."""
        squared = (keypoints[:, :, :, None] - keypoints[:, :, None]).square().sum(dim=-1)
        near = (squared < self.apart**2) & found[:, :, None]
        return near.tril(-1).any(dim=-1)


def blurred(heatmap: Tensor, sigma: float, kernel: int = 11) -> Tensor:
    """Return maps ``(B, K, h, w)`` smoothed by a Gaussian, with zeros around them.

    Args:
        heatmap: the maps.
        sigma: standard deviation in cells.
        kernel: width in cells, odd.
    """
    far = kernel // 2
    taps = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-far, far + 1)]
    taps = [tap / sum(taps) for tap in taps]
    for axis in (-1, -2):
        padded = F.pad(heatmap, (far, far) if axis == -1 else (0, 0, far, far))
        cells, heatmap = heatmap.shape[axis], heatmap * taps[far]
        for start, tap in enumerate(taps):
            if start != far:
                heatmap.add_(padded.narrow(axis, start, cells), alpha=tap)
    return heatmap


def window_maximum(heatmap: Tensor, window: int) -> Tensor:
    """Return the largest value in the window around each cell of maps ``(B, K, h, w)``.

    It takes a fraction of the time of a pooling, and is not differentiable.
    """
    for axis in (-1, -2):
        row = heatmap.detach()
        heatmap, cells = row.clone(), row.shape[axis]
        for step in range(1, min(window // 2, cells - 1) + 1):
            near, far = (row.narrow(axis, start, cells - step) for start in (0, step))
            for start, other in ((0, far), (step, near)):
                reached = heatmap.narrow(axis, start, cells - step)
                torch.maximum(reached, other, out=reached)
    return heatmap


def check_detector(blur: float, window: int, threshold: float) -> None:
    """Check the options of a `Detector`.

    Raises:
        ValueError: one makes no sense.
    """
    if not 0 <= blur < math.inf:
        raise ValueError(f"blur must be a number of cells from 0 on, not {blur:g}")
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window must be odd and at least 1 cell, not {window}")
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must be a likelihood from 0 to below 1, not {threshold:g}")
