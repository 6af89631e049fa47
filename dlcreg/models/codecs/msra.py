"""Heatmaps of HRNet and SimpleBaseline: Gaussians at whole cells, decoded to a quarter of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from dlcreg.contracts import Codec, Size, Targets
from dlcreg.models.codecs import maps
from dlcreg.models.codecs.mirroring import mirror
from dlcreg.registry import CODECS
from dlcreg.structures import Instances, Poses


@CODECS.register_module()
class MSRAHeatmap(Codec):
    """Heatmaps as SimpleBaseline and HRNet train them (Xiao et al., 2018); one animal an image.

    The centre of cell i lies at pixel ``i * stride``. A Gaussian of 6 sigma + 1 cells stands on
    the nearest cell; the peak is read at the highest cell, moved a quarter towards its higher
    neighbour. Positions are hence known to within half a cell.

    Args:
        sigma: standard deviation in cells; the originals take 2 for maps of 64x48, 3 for 96x72.
        unlabelled: a map in which no animal has a label gives no gradient (``ignore``), or is
            learnt as empty (``background``).
        stride: pixels for each cell; None: the head says it.
    """

    def __init__(
        self,
        sigma: float = 2.0,
        unlabelled: Literal["ignore", "background"] = "ignore",
        stride: float | None = None,
    ) -> None:
        super().__init__(stride)
        maps.check_positive(sigma=(sigma, "cells"))
        self.sigma = sigma
        self.unlabelled = unlabelled

    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return K channels of heatmap."""
        return {"heatmap": num_keypoints}

    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return the heatmap ``(B, K, h, w)`` and its weight ``(B, K, 1, 1)``.

        A keypoint whose Gaussian lies wholly outside the map counts as not labelled.
        """
        cells = self.map_size(size)
        positions = torch.trunc(instances.keypoints / self._known_stride() + 0.5)
        reach = int(3 * self.sigma)
        edge = positions.new_tensor([cells[1], cells[0]]) + reach
        inside = ((positions >= -reach) & (positions < edge)).all(dim=-1)
        known = maps.labelled(instances) & inside
        target = maps.gaussian_maps(positions, known, cells, self.sigma, reach)
        return {"heatmap": (target, maps.map_weight(known, self.unlabelled))}

    def decode(self, outputs: Mapping[str, Tensor], size: Size | None = None) -> Poses:
        """Return the peaks; their scores are the values of the maps as they are.

        A map without a value above 0 gives the corner, as in the original.
        """
        heatmap = outputs["heatmap"]
        peaks = maps.find_peaks(heatmap)
        cells = maps.peak_centres(peaks, heatmap.dtype)
        cells = cells + 0.25 * maps.central_difference(heatmap, peaks).sign()
        cells = torch.where(peaks.value[..., None] > 0, cells, torch.zeros_like(cells))
        return maps.single_pose(cells * self._known_stride(), peaks.value)

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the outputs of a mirrored input as of the input.

        The grid does not mirror onto itself: the maps are moved right by one cell, as in the
        original, which leaves one pixel of difference.
        """
        return {"heatmap": mirror(outputs["heatmap"], flip_index, shift=1)}
