"""Centres of animals, and the way from them to every keypoint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from dlcreg.contracts import Codec, Outcomes, Size, Targets
from dlcreg.models.codecs import centre_decoding as decoding
from dlcreg.models.codecs import centre_targets as drawing
from dlcreg.models.codecs import maps
from dlcreg.models.codecs.maps import Activation, Anchor
from dlcreg.models.codecs.mirroring import mirror, mirror_locref
from dlcreg.models.codecs.rescoring import PoseRescorer
from dlcreg.models.codecs.resizing import from_scale, resize
from dlcreg.models.codecs.snapping import Snap, fit_peaks, nearest_peaks
from dlcreg.registry import CODECS
from dlcreg.structures import Instances, Poses

_SHARE_OF_OTHER_SCALES = 0.9


@CODECS.register_module()
class DEKROffsets(Codec, nn.Module):
    """Disentangled keypoint regression (Geng et al., 2021): any number of animals in an image.

    ``heatmap`` has K maps of the keypoints and one of the animals' centres, the means of their
    labelled keypoints. ``offset`` says in the cells around a centre where the keypoints of that
    animal are: cell minus keypoint, in cells, channels x0, y0, x1, y1, ... A keypoint without a
    label is left out of its animal's offsets; the pose has all keypoints nevertheless.

    Of two animals whose centres are in one cell, or in cells side by side, only one can be found.

    The centre of cell i lies at pixel ``i * stride + (stride - 1) / 2``; with the anchor
    ``deeplabcut`` at ``i * stride + stride / 2``, with ``corner``, the original's, ``i * stride``.

    Args:
        sigma: standard deviation of the keypoints' Gaussians, cells.
        centre_sigma: that of the centres; None for twice `sigma`. (The original took ``sigma`` for
            data of less than 17 keypoints, by mistake.)
        radius: cells along x and y around a centre in which offsets are learnt.
        background: weight of the heatmaps' cells away from all Gaussians.
        overlap: animal that a cell near several centres speaks of: the one of the ``nearest``
            centre, by which both can be found; the ``smallest``, as the paper has it; or the
            ``first``, as its code has it, see `centre_targets.Overlap`.
        normalise_by: offsets weigh one over the animal's size: the diagonal of its labelled
            keypoints in cells (``extent``), or the square root of the area that was labelled in
            pixels (``area``, as in DeepLabCut).
        min_area: animals with a smaller labelled area, in square pixels, have no centre; 0 for
            none. The original: 1024.
        unlabelled: a map in which no animal has a label gives no gradient (``ignore``), or is
            learnt as empty (``background``, as in the original).
        truncate: round the ends of the squares of offsets down, as the original, by which they lie
            half a cell too far up and left.
        candidates: number of centres of an image that are looked at.
        threshold: least value of a centre.
        window: cells along x and y in which a centre is the highest; None for 3, and on large maps
            5 or 7, as the original.
        nms: poses are one if more than `nms_keypoints` of them are nearer than this share of the
            larger one's diagonal.
        nms_keypoints: see `nms`; None for half of the keypoints. (DeepLabCut takes 0, by mistake.)
        nms_order: of poses that are one, that remains which has the highest mean of its keypoints'
            ``heatmap``, or the highest ``centre``, as in DeepLabCut.
        scores: of a keypoint: the centre's value times that of its heatmap (``combined``), or the
            centre's alone (``centre``).
        read: where a heatmap is read: exactly at the keypoint, ``between`` four cells; at the
            ``pixel`` left above, as in the original; in the ``cell`` left above, as in DeepLabCut.
        snap: move keypoints onto the nearest peak of their heatmap, see `snapping.Snap`; None
            leaves them where they were regressed.
        snap_distance: pixels from which on a peak is too far.
        rescore: learn at the end of a training how right poses are, and multiply the scores of
            animals by it, see `PoseRescorer`.
        limbs: pairs of keypoints for it; None for the `skeleton`.
        torso: indices of the limbs that are its unit; none for all.
        oks_sigma: OKS constant of each keypoint, or one for all, of what it learns.
        num_keypoints: number of keypoints K, for it.
        skeleton: edges of the data's skeleton.
        num_individuals: at most so many animals in an image, the best; None for all.
        anchor: where the cells lie, see above.
        shift_mirrored: mirrored images are moved left by ``stride - 1 - 2 * offset`` pixels, so
            that their cells lie on those of the image, as the original moves them by 3. Otherwise
            the offsets are corrected.
        activation: applied to the heatmaps before decoding; None: what their loss implies.
        stride: pixels for each cell; None: the head says it.

    Raises:
        ValueError: values that make no sense.
    """

    max_individuals: ClassVar[int | None] = None
    activation: str | None = None

    def __init__(
        self,
        sigma: float = 2.0,
        centre_sigma: float | None = None,
        radius: float = 4.0,
        background: float = 0.1,
        overlap: drawing.Overlap = "nearest",
        normalise_by: Literal["extent", "area"] = "extent",
        min_area: float = 0.0,
        unlabelled: Literal["ignore", "background"] = "ignore",
        truncate: bool = False,
        candidates: int = 30,
        threshold: float = 0.01,
        window: int | None = None,
        nms: float = 0.05,
        nms_keypoints: int | None = None,
        nms_order: Literal["heatmap", "centre"] = "heatmap",
        scores: Literal["combined", "centre"] = "combined",
        read: Literal["between", "pixel", "cell"] = "between",
        snap: Snap | None = None,
        snap_distance: float = 75.0,
        rescore: bool = False,
        limbs: Sequence[tuple[int, int]] | None = None,
        torso: Sequence[int] = (),
        oks_sigma: float | Sequence[float] = 0.1,
        num_keypoints: int | None = None,
        skeleton: Sequence[tuple[int, int]] = (),
        num_individuals: int | None = None,
        anchor: Anchor = "centre",
        shift_mirrored: bool = False,
        activation: Activation | None = None,
        stride: float | None = None,
    ) -> None:
        nn.Module.__init__(self)
        Codec.__init__(self, stride)
        maps.check_positive(
            sigma=(sigma, "cells"),
            centre_sigma=(centre_sigma, "cells or None"),
            radius=(radius, "cells"),
            snap_distance=(snap_distance, "pixels"),
        )
        for name, value in (("background", background), ("min_area", min_area)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a number from 0 on, not {value:g}")
        self.sigma = sigma
        self.centre_sigma = 2 * sigma if centre_sigma is None else centre_sigma
        self.radius = radius
        self.background = background
        self.overlap: drawing.Overlap = overlap
        self.normalise_by = normalise_by
        self.min_area = min_area
        self.unlabelled = unlabelled
        self.truncate = truncate
        self.read = read
        self.snap, self.snap_distance = snap, snap_distance
        self.calibrates = rescore
        self.rescorer: PoseRescorer | None = None
        if rescore:
            edges = skeleton if limbs is None else limbs
            self.rescorer = PoseRescorer(num_keypoints, edges, torso, oks_sigma)
        self._search = decoding.Search(candidates, threshold, window)
        self._select = decoding.Selection(nms, nms_keypoints, nms_order, scores, num_individuals)
        self.anchor: Anchor = anchor
        self.shift_mirrored = shift_mirrored
        self.activation = activation

    @property
    def mirrored_shift(self) -> int:  # type: ignore[override]
        """Pixels by which images are moved once they are mirrored, see `shift_mirrored`."""
        return round(self._known_stride() - 1 - 2 * self._offset()) * self.shift_mirrored

    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return K + 1 channels of heatmap, the centre last, and 2K of offset."""
        return {"heatmap": num_keypoints + 1, "offset": 2 * num_keypoints}

    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return heatmap ``(B, K + 1, h, w)`` and offset ``(B, 2K, h, w)`` with their weights.

        A keypoint outside the image counts for its animal's centre and size, and is not drawn.
        """
        stride, cells = self._known_stride(), self.map_size(size)
        known = maps.labelled(instances)
        pixels = instances.keypoints.masked_fill(~known[..., None], 0.0)
        positions = (pixels - self._offset()) / stride
        centres, diagonal = drawing.centres_of(positions, known)
        whole = known.any(dim=-1) & (instances.areas >= self.min_area)
        edge = pixels.new_tensor([size[1], size[0]]) - 0.5
        drawn = known & ((pixels >= -0.5) & (pixels < edge)).all(dim=-1)

        heatmap = positions.new_zeros(len(known), known.shape[2] + 1, *cells)
        drawing.draw_gaussians(heatmap[:, :-1], positions, drawn, self.sigma)
        drawing.draw_gaussians(
            heatmap[:, -1:], centres[:, :, None], whole[..., None], self.centre_sigma
        )
        present = torch.cat([drawn, whole[..., None]], dim=-1)
        of_map = maps.map_weight(present, self.unlabelled)
        weight = torch.where(heatmap > 0, of_map, of_map * self.background)
        offset = drawing.offset_maps(
            positions,
            drawn & whole[..., None],
            centres,
            1 / self._sizes(instances, diagonal),
            drawing.squares(centres, cells, self.radius, self.truncate),
            cells,
            self.overlap,
        )
        return {"heatmap": (heatmap, weight), "offset": offset}

    def decode(self, outputs: Mapping[str, Tensor], size: Size | None = None) -> Poses:
        """Return the poses of the highest centres, best first; scores are clipped to [0, 1]."""
        return self._rescored(self._found(*self._candidates(outputs)))

    def decode_scales(
        self, outputs: Sequence[Mapping[str, Tensor]], scales: Sequence[float], size: Size
    ) -> Poses:
        """Return the best of the poses that the scales find, as DEKR.

        Heatmaps are averaged; centres of other scales than 1 count a tenth less than those of that.
        """
        found, heatmaps = [], []
        for one, scale in zip(outputs, scales, strict=True):
            candidates, _ = self._candidates(one)
            cells = from_scale(candidates.cells, scale, self._known_stride(), self._offset())
            found.append(candidates._replace(cells=cells))
            heatmaps.append(self._likelihoods(self.resize(one, scale, size)["heatmap"]))
        joined = decoding.together(found, list(scales).index(1), _SHARE_OF_OTHER_SCALES)
        return self._rescored(self._found(joined, torch.stack(heatmaps).mean(dim=0)))

    def calibrate(self, outcomes: Outcomes) -> dict[str, str]:
        """Learn how right the poses are that are found in the training part."""
        if self.rescorer is None:
            return super().calibrate(outcomes)
        found = ((self._found(*self._candidates(outputs)), labels) for outputs, labels in outcomes)
        return self.rescorer.calibrate(found)

    def resize(self, outputs: Mapping[str, Tensor], scale: float, size: Size) -> dict[str, Tensor]:
        """Return the outputs of a resized input as of the input."""
        grid = (scale, self.map_size(size), self._known_stride(), self._offset())
        return {
            "heatmap": resize(outputs["heatmap"], *grid),
            "offset": resize(outputs["offset"], *grid) / scale,
        }

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the outputs of a mirrored input as of the input; exact for ``anchor="centre"``."""
        heatmap, stride = outputs["heatmap"], self._known_stride()
        centre = flip_index.new_tensor([len(flip_index)])
        shift = 0.0 if self.shift_mirrored else -(stride - 1 - 2 * self._offset())
        return {
            "heatmap": mirror(heatmap, torch.cat([flip_index, centre])),
            "offset": mirror_locref(outputs["offset"], flip_index, stride, shift),
        }

    def _likelihoods(self, heatmap: Tensor) -> Tensor:
        """Return heatmaps ``(B, K + 1, h, w)`` as likelihoods."""
        mass = heatmap.new_full((heatmap.shape[1], 1, 1), 2 * math.pi * self.sigma**2)
        mass[-1] = 2 * math.pi * self.centre_sigma**2
        return maps.activate(heatmap, self.activation, mass)

    def _candidates(self, outputs: Mapping[str, Tensor]) -> tuple[decoding.Candidates, Tensor]:
        """Return poses in cells, and the likelihoods ``(B, K + 1, h, w)``."""
        heatmap = self._likelihoods(outputs["heatmap"])
        return self._search(heatmap[:, -1], outputs["offset"]), heatmap

    def _found(self, candidates: decoding.Candidates, heatmap: Tensor) -> Poses:
        """Return the animals in pixels, the best first; scores are not clipped."""
        stride, offset, maps_of = self._known_stride(), self._offset(), heatmap[:, :-1]
        count = self._search.candidates
        if self.snap == "peak":
            snapped = nearest_peaks(maps_of, candidates.cells, count, self.snap_distance / stride)
            candidates = candidates._replace(cells=snapped)
        poses = self._select(candidates, self._heat(maps_of, candidates.cells))
        poses = replace(poses, keypoints=poses.keypoints * stride + offset)
        if self.snap == "fit":
            found = fit_peaks(maps_of, poses, count, self.snap_distance, self.sigma, stride, offset)
            poses = replace(poses, keypoints=found)
        return poses

    def _rescored(self, poses: Poses) -> Poses:
        """Return poses by how right they are predicted to be, with scores from 0 to 1."""
        scores = poses.scores.clamp(0, 1)
        overall = scores.mean(dim=-1)
        if self.rescorer is not None:
            overall = overall * self.rescorer(poses.keypoints, poses.scores)
        return decoding.best(replace(poses, scores=scores, instance_scores=overall))

    def _heat(self, heatmap: Tensor, cells: Tensor) -> Tensor:
        """Return the values ``(B, P, K)`` of heatmaps ``(B, K, h, w)`` at keypoints in cells."""
        if self.read == "cell":
            cells = cells.floor()
        elif self.read == "pixel":
            stride = self._known_stride()
            cells = torch.floor(cells * stride) / stride
        return decoding.read_maps(heatmap, cells)

    def _sizes(self, instances: Instances, diagonal: Tensor) -> Tensor:
        """Return the size ``(B, N)`` by which an animal's offsets are divided, at least 1."""
        if self.normalise_by == "area":
            return instances.areas.to(diagonal).clamp(min=1.0).sqrt()
        return diagonal.clamp(min=2 * self.radius)  # a keypoint alone has no extent

    def _offset(self) -> float:
        return maps.anchor_offset(self.anchor, self._known_stride())
