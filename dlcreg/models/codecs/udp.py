"""UDP: heatmaps on grids whose corners are those of the image, decoded without a bias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcreg.contracts import Codec, Size, Targets
from dlcreg.models.codecs import maps
from dlcreg.models.codecs.maps import Peaks
from dlcreg.models.codecs.mirroring import mirror
from dlcreg.registry import CODECS
from dlcreg.structures import Instances, Poses

_LOWEST, _HIGHEST = 0.001, 50.0
"""Between which values of the smoothed map its logarithm is taken."""


@CODECS.register_module()
class UDPHeatmap(Codec):
    """Heatmaps of unbiased data processing (Huang et al., 2020), as in ViTPose; one animal.

    The corner cells lie on the corner pixels: along a side of W pixels and w cells the centre of
    cell i lies at pixel ``i * (W - 1) / (w - 1)``, so that mirroring is exact. A Gaussian stands at
    the keypoint itself, on the cells within 3 sigma of the one nearest to it. The peak is one
    Newton step from the highest cell, in the logarithm of the smoothed map.

    Args:
        sigma: standard deviation in cells; 2 for maps of 64x48.
        kernel: width in cells of the smoothing before decoding, odd.
        unlabelled: a map in which no animal has a label gives no gradient (``ignore``), or is
            learnt as empty (``background``).
        stride: pixels for each cell; None: the head says it.

    Raises:
        ValueError: a sigma that is not positive, or an even kernel.
    """

    def __init__(
        self,
        sigma: float = 2.0,
        kernel: int = 11,
        unlabelled: Literal["ignore", "background"] = "ignore",
        stride: float | None = None,
    ) -> None:
        super().__init__(stride)
        maps.check_positive(sigma=(sigma, "cells"))
        maps.check_kernel(kernel)
        self.sigma = sigma
        self.kernel = kernel
        self.unlabelled = unlabelled

    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return K channels of heatmap."""
        return {"heatmap": num_keypoints}

    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return the heatmap ``(B, K, h, w)`` and its weight ``(B, K, 1, 1)``.

        A keypoint whose Gaussian lies wholly outside the map counts as not labelled.
        """
        cells = self.map_size(size)
        steps = instances.keypoints.new_tensor(maps.corner_steps(cells, size))
        positions = instances.keypoints / steps
        nearest = torch.trunc(positions + 0.5)
        reach = int(3 * self.sigma)
        edge = positions.new_tensor([cells[1], cells[0]]) + reach
        inside = ((nearest >= -reach - 1) & (nearest < edge)).all(dim=-1)
        known = maps.labelled(instances) & inside
        target = maps.gaussian_maps(positions, known, cells, self.sigma, reach, nearest)
        return {"heatmap": (target, maps.map_weight(known, self.unlabelled))}

    def decode(self, outputs: Mapping[str, Tensor], size: Size | None = None) -> Poses:
        """Return the peaks; their scores are the values of the maps as they are.

        A map without a value above 0 gives the cell beyond the first corner, as in the original.
        """
        heatmap = outputs["heatmap"]
        peaks = maps.find_peaks(heatmap)
        logarithm = smooth(heatmap, self.kernel).clamp(_LOWEST, _HIGHEST).log()
        cells = maps.peak_centres(peaks, heatmap.dtype) + newton_step(logarithm, peaks)
        cells = torch.where(peaks.value[..., None] > 0, cells, torch.full_like(cells, -1.0))
        height, width = heatmap.shape[-2:]
        stride = self._known_stride()
        steps = maps.corner_steps((height, width), (height * stride, width * stride))
        return maps.single_pose(cells * cells.new_tensor(steps), peaks.value)

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the outputs of a mirrored input as of the input; exact."""
        return {"heatmap": mirror(outputs["heatmap"], flip_index)}


def smooth(heatmap: Tensor, kernel: int) -> Tensor:
    """Return maps ``(B, K, h, w)`` blurred by a Gaussian and mirrored at their borders.

    The standard deviation follows the width of the kernel as in OpenCV; the maximum is lowered.
    """
    taps = maps.gaussian_taps(kernel, heatmap)
    flat = heatmap.flatten(0, 1)[:, None]  # (B * K, 1, h, w)
    for axis in (-1, -2):
        around = _mirrored(flat.shape[axis], kernel // 2, heatmap.device)
        flat = flat.index_select(axis, around)
        flat = F.conv2d(flat, taps.view((1, 1, 1, -1) if axis == -1 else (1, 1, -1, 1)))
    return flat.view_as(heatmap)


def _mirrored(length: int, more: int, device: torch.device) -> Tensor:
    """Return the cells of a row of `length` with `more` at both ends, mirrored at the outermost."""
    period = max(2 * (length - 1), 1)
    cells = torch.arange(-more, length + more, device=device).remainder(period)
    return torch.minimum(cells, period - cells) if length > 1 else cells


def newton_step(logarithm: Tensor, peaks: Peaks) -> Tensor:
    """Return the way ``(B, K, 2)`` in cells from the highest cell to the top of a parabola.

    Second differences are taken over one cell; beyond a border the outermost cell goes on.
    """
    height, width = logarithm.shape[-2:]
    across = torch.tensor([0, -1, 1, 0, 0, 1, -1], device=logarithm.device)
    down = torch.tensor([0, 0, 0, -1, 1, 1, -1], device=logarithm.device)
    column = (peaks.column[..., None] + across).clamp(0, width - 1)
    row = (peaks.row[..., None] + down).clamp(0, height - 1)
    f, left, right, above, below, after, before = maps.cells_at(logarithm, row, column).unbind(-1)
    dx, dy = 0.5 * (right - left), 0.5 * (below - above)
    tiny = torch.finfo(torch.float32).eps
    dxx, dyy = right - 2 * f + left + tiny, below - 2 * f + above + tiny
    dxy = 0.5 * (after - right - below + 2 * f - left - above + before)
    determinant = dxx * dyy - dxy * dxy
    safe = torch.where(determinant == 0, torch.ones_like(determinant), determinant)
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1) / safe[..., None]
    return torch.where((determinant == 0)[..., None], torch.zeros_like(step), step)
