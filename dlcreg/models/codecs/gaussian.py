"""Heatmaps with a Gaussian at each keypoint, drawn and read to a fraction of a cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from dlcreg.contracts import Codec, Size, Targets
from dlcreg.models.codecs import maps
from dlcreg.models.codecs.maps import Activation, Anchor
from dlcreg.models.codecs.mirroring import mirror_outputs
from dlcreg.models.codecs.resizing import resize_outputs
from dlcreg.registry import CODECS
from dlcreg.structures import Instances, Poses


@CODECS.register_module()
class GaussianHeatmap(Codec):
    """One heatmap a keypoint, with optional location refinement; one animal an image.

    Several animals share a map: each cell takes the largest of their Gaussians, and location
    refinement points at the nearest of them. `decode` finds one animal.

    The centre of cell i lies at pixel ``i * stride + (stride - 1) / 2``, with
    ``anchor="deeplabcut"`` at ``i * stride + stride / 2``. Without location refinement the peak is
    read to a fraction of a cell from a parabola through the logarithms of its neighbours, or where
    the highest cell lies (`read`).

    Args:
        sigma: standard deviation in cells of the map (not pixels: the peak then spans enough cells
            to be read at any stride). DeepLabCut's is 34 / 3 pixels, 1.4167 cells of stride 8.
        locref_std: pixels for a location refinement of 1; None for no location refinement.
        locref_radius: pixels around a keypoint in which location refinement is trained; None for
            1.5 sigma, as in DeepLabCut.
        anchor: where the cells lie, see above.
        unlabelled: a map in which no animal has a label gives no gradient (``ignore``), or is
            learnt as empty (``background``, what DeepLabCut does).
        activation: applied to the output before decoding; None: what the heatmap's loss implies.
        stride: pixels for each cell; None: the head says it.
        read: without location refinement, the ``peak`` of the parabola, or the centre of the
            highest ``cell``, as DeepLabCut does.

    Raises:
        ValueError: lengths that are not above 0, or another word for `read`.
    """

    activation: str | None = None

    def __init__(
        self,
        sigma: float = 2.0,
        locref_std: float | None = None,
        locref_radius: float | None = None,
        anchor: Anchor = "centre",
        unlabelled: Literal["ignore", "background"] = "ignore",
        activation: Activation | None = None,
        stride: float | None = None,
        read: Literal["peak", "cell"] = "peak",
    ) -> None:
        super().__init__(stride)
        if read not in ("peak", "cell"):
            raise ValueError(f"read must be 'peak' or 'cell', not {read!r}")
        maps.check_positive(
            sigma=(sigma, "cells"),
            locref_std=(locref_std, "pixels or None"),
            locref_radius=(locref_radius, "pixels or None"),
        )
        self.sigma = sigma
        self.locref_std = locref_std
        self.locref_radius = locref_radius
        self.anchor = anchor
        self.unlabelled = unlabelled
        self.activation = activation
        self.read = read

    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return K channels of heatmap and, with location refinement, 2K of locref."""
        return maps.channels(num_keypoints, self.locref_std)

    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return heatmap ``(B, K, h, w)`` and locref ``(B, 2K, h, w)`` with their weights."""
        stride, offset, cells = self._known_stride(), self._offset(), self.map_size(size)
        known = maps.labelled(instances)
        weight = maps.map_weight(known, self.unlabelled)
        positions = (instances.keypoints - offset) / stride
        targets = {"heatmap": (maps.gaussian_maps(positions, known, cells, self.sigma), weight)}
        if self.locref_std is not None:
            near = maps.nearest(instances.keypoints, known, cells, stride, offset)
            radius = self.locref_radius or 1.5 * self.sigma * stride
            targets["locref"] = maps.locref_target(near, maps.within(near, radius), self.locref_std)
        return targets

    def decode(self, outputs: Mapping[str, Tensor], size: Size | None = None) -> Poses:
        """Return the peak of each map; its score is the heatmap there, clipped to [0, 1]."""
        mass = 2 * math.pi * self.sigma**2
        heatmap = maps.activate(outputs["heatmap"], self.activation, mass)
        peaks = maps.find_peaks(heatmap)
        if self.locref_std is None:
            if self.read == "cell":
                cells = maps.peak_centres(peaks, heatmap.dtype)
            else:
                cells = maps.parabola_peak(heatmap, peaks)
            keypoints = cells * self._known_stride() + self._offset()
        else:
            keypoints = maps.refined(
                outputs["locref"], peaks, self._known_stride(), self._offset(), self.locref_std
            )
        return maps.single_pose(keypoints, peaks.value.clamp(0, 1))

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the outputs of a mirrored input as of the input; exact for ``anchor="centre"``."""
        shift = self._known_stride() - 1 - 2 * self._offset()
        return mirror_outputs(outputs, flip_index, self.locref_std, shift)

    def resize(self, outputs: Mapping[str, Tensor], scale: float, size: Size) -> dict[str, Tensor]:
        """Return the outputs of a resized input as of the input."""
        stride, offset = self._known_stride(), self._offset()
        return resize_outputs(outputs, scale, self.map_size(size), stride, offset)

    def _offset(self) -> float:
        return maps.anchor_offset(self.anchor, self._known_stride())
