"""DeepLabCut's score maps: a disc of ones around each keypoint, and location refinement."""

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
class PlateauHeatmap(Codec):
    """One map a keypoint with a disc of ones, and location refinement (Mathis et al., 2018).

    Several animals share a map, and location refinement points at the nearest of them (where
    DeepLabCut takes the last one drawn). `decode` finds one animal.

    The centre of cell i lies at pixel ``i * stride + stride / 2``, as in DeepLabCut; with
    ``anchor="centre"`` at ``i * stride + (stride - 1) / 2``.

    Args:
        radius: pixels around the keypoint in which the map is 1 and location refinement trained.
        locref_std: pixels for a location refinement of 1; None for no location refinement, then
            `decode` gives the centre of the first of the highest cells.
        anchor: where the cells lie, see above.
        unlabelled: a map in which no animal has a label gives no gradient (``ignore``), or is
            learnt as empty (``background``, what DeepLabCut does).
        activation: applied to the output before decoding; None: what the heatmap's loss implies.
        stride: pixels for each cell; None: the head says it.
    """

    activation: str | None = None

    def __init__(
        self,
        radius: float = 17.0,
        locref_std: float | None = 7.2801,
        anchor: Anchor = "deeplabcut",
        unlabelled: Literal["ignore", "background"] = "ignore",
        activation: Activation | None = None,
        stride: float | None = None,
    ) -> None:
        super().__init__(stride)
        maps.check_positive(radius=(radius, "pixels"), locref_std=(locref_std, "pixels or None"))
        self.radius = radius
        self.locref_std = locref_std
        self.anchor = anchor
        self.unlabelled = unlabelled
        self.activation = activation

    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return K channels of heatmap and, with location refinement, 2K of locref."""
        return maps.channels(num_keypoints, self.locref_std)

    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return heatmap ``(B, K, h, w)`` and locref ``(B, 2K, h, w)`` with their weights."""
        known = maps.labelled(instances)
        near = maps.nearest(
            instances.keypoints, known, self.map_size(size), self._known_stride(), self._offset()
        )
        disc = maps.within(near, self.radius)
        targets = {"heatmap": (disc, maps.map_weight(known, self.unlabelled))}
        if self.locref_std is not None:
            targets["locref"] = maps.locref_target(near, disc, self.locref_std)
        return targets

    def decode(self, outputs: Mapping[str, Tensor], size: Size | None = None) -> Poses:
        """Return the highest cell of each map, refined; its score is clipped to [0, 1]."""
        mass = math.pi * (self.radius / self._known_stride()) ** 2
        heatmap = maps.activate(outputs["heatmap"], self.activation, mass)
        peaks = maps.find_peaks(heatmap)
        stride, offset = self._known_stride(), self._offset()
        if self.locref_std is None:
            keypoints = maps.peak_centres(peaks, heatmap.dtype) * stride + offset
        else:
            keypoints = maps.refined(outputs["locref"], peaks, stride, offset, self.locref_std)
        return maps.single_pose(keypoints, peaks.value.clamp(0, 1))

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the outputs of a mirrored input as of the input.

        With ``anchor="deeplabcut"`` the cells do not mirror onto themselves: the maps lie one pixel
        off, which location refinement makes good.
        """
        shift = self._known_stride() - 1 - 2 * self._offset()
        return mirror_outputs(outputs, flip_index, self.locref_std, shift)

    def resize(self, outputs: Mapping[str, Tensor], scale: float, size: Size) -> dict[str, Tensor]:
        """Return the outputs of a resized input as of the input."""
        stride, offset = self._known_stride(), self._offset()
        return resize_outputs(outputs, scale, self.map_size(size), stride, offset)

    def _offset(self) -> float:
        return maps.anchor_offset(self.anchor, self._known_stride())
