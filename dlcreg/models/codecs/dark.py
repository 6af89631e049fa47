"""DARK: unbiased heatmaps, decoded through a Taylor expansion of their logarithm."""

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


@CODECS.register_module()
class DarkHeatmap(Codec):
    """Distribution-aware heatmaps (Zhang et al., 2020), as TransPose uses them; one animal.

    The corner cells lie on the corner pixels: along a side of W pixels and w cells the centre of
    cell i lies at pixel ``i * (W - 1) / (w - 1)``, so that mirroring is exact. Gaussians stand at
    the keypoints themselves. The peak is one Newton step from the highest cell of the smoothed
    map's logarithm; at the two outermost cells, the highest cell itself.

    Args:
        sigma: standard deviation in cells; the originals take 2 for maps of 64x48, 3 for 96x72.
        kernel: width in cells of the smoothing before decoding, odd.
        square_cells: cells are as high as they are wide, and the middle of the map lies on that of
            the image: as the originals have it, whose cells at the top and the bottom of a crop of
            256x192 lie half a pixel beyond it.
        unlabelled: a map in which no animal has a label gives no gradient (``ignore``), or is
            learnt as empty (``background``).
        stride: pixels for each cell; None: the head says it.
    """

    def __init__(
        self,
        sigma: float = 2.0,
        kernel: int = 11,
        square_cells: bool = False,
        unlabelled: Literal["ignore", "background"] = "ignore",
        stride: float | None = None,
    ) -> None:
        super().__init__(stride)
        maps.check_positive(sigma=(sigma, "cells"))
        maps.check_kernel(kernel)
        self.sigma = sigma
        self.kernel = kernel
        self.square_cells = square_cells
        self.unlabelled = unlabelled

    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return K channels of heatmap."""
        return {"heatmap": num_keypoints}

    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return the heatmap ``(B, K, h, w)`` and its weight ``(B, K, 1, 1)``.

        A keypoint further than 3 sigma outside the map counts as not labelled.
        """
        height, width = self.map_size(size)
        step, first = self._cells((height, width), size, instances.keypoints)
        positions = (instances.keypoints - first) / step
        reach = 3 * self.sigma
        edge = positions.new_tensor([width, height]) + reach
        inside = ((positions > -reach - 1) & (positions < edge)).all(dim=-1)
        known = maps.labelled(instances) & inside
        target = maps.gaussian_maps(positions, known, (height, width), self.sigma)
        return {"heatmap": (target, maps.map_weight(known, self.unlabelled))}

    def decode(self, outputs: Mapping[str, Tensor], size: Size | None = None) -> Poses:
        """Return the peaks; their scores are the values of the maps as they are."""
        heatmap = outputs["heatmap"]
        peaks = maps.find_peaks(heatmap)
        cells = maps.peak_centres(peaks, heatmap.dtype)
        cells = cells + newton_step(smooth(heatmap, self.kernel), peaks)
        cells = torch.where(peaks.value[..., None] > 0, cells, torch.zeros_like(cells))
        height, width = heatmap.shape[-2:]
        stride = self._known_stride()
        covered = height * stride, width * stride
        step, first = self._cells((height, width), covered, cells)
        return maps.single_pose(cells * step + first, peaks.value)

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the outputs of a mirrored input as of the input; exact."""
        return {"heatmap": mirror(outputs["heatmap"], flip_index)}

    def _cells(self, cells: Size, size: tuple[float, float], like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pixels from cell to cell, and the pixel of cell 0, each as x, y."""
        across, down = maps.corner_steps(cells, size)
        first = 0.0
        if self.square_cells:
            down = across
            first = (size[0] - 1 - down * (cells[0] - 1)) / 2
        return like.new_tensor([across, down]), like.new_tensor([0.0, first])


def smooth(heatmap: Tensor, kernel: int) -> Tensor:
    """Return maps ``(B, K, h, w)`` blurred by a Gaussian, each with its old maximum.

    The standard deviation follows the width of the kernel as in OpenCV.
    """
    taps = maps.gaussian_taps(kernel, heatmap)
    flat = heatmap.flatten(0, 1)[:, None]  # (B * K, 1, h, w)
    flat = F.conv2d(flat, taps.view(1, 1, 1, -1), padding=(0, kernel // 2))
    flat = F.conv2d(flat, taps.view(1, 1, -1, 1), padding=(kernel // 2, 0))
    blurred = flat.view_as(heatmap)
    old, new = heatmap.amax(dim=(-2, -1), keepdim=True), blurred.amax(dim=(-2, -1), keepdim=True)
    return blurred * (old / torch.where(new == 0, torch.ones_like(new), new))


def newton_step(heatmap: Tensor, peaks: Peaks) -> Tensor:
    """Return the way ``(B, K, 2)`` in cells from the highest cell to the top of the logarithm.

    Second differences are taken over two cells. Where the peak is among the two outermost cells,
    or the Hessian is singular, the way is 0.
    """
    height, width = heatmap.shape[-2:]
    column = peaks.column[..., None].clamp(2, max(width - 3, 2))
    row = peaks.row[..., None].clamp(2, max(height - 3, 2))
    if height < 5 or width < 5:
        return torch.zeros_like(maps.peak_centres(peaks, heatmap.dtype))
    across = torch.tensor([0, -1, 1, -2, 2, 0, 0, 0, 0, -1, -1, 1, 1], device=heatmap.device)
    down = torch.tensor([0, 0, 0, 0, 0, -1, 1, -2, 2, -1, 1, -1, 1], device=heatmap.device)
    values = maps.cells_at(heatmap, row + down, column + across).clamp(min=maps.TINY).log()
    f, xm, xp, xmm, xpp, ym, yp, ymm, ypp, mm, mp, pm, pp = values.unbind(-1)
    dx, dy = 0.5 * (xp - xm), 0.5 * (yp - ym)
    dxx, dyy = 0.25 * (xpp - 2 * f + xmm), 0.25 * (ypp - 2 * f + ymm)
    dxy = 0.25 * (pp - pm - mp + mm)
    determinant = dxx * dyy - dxy * dxy
    inner = (peaks.column > 1) & (peaks.column < width - 2)
    inner = inner & (peaks.row > 1) & (peaks.row < height - 2) & (determinant != 0)
    safe = torch.where(inner, determinant, torch.ones_like(determinant))
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1) / safe[..., None]
    return torch.where(inner[..., None], step, torch.zeros_like(step))
