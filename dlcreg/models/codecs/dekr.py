"""Centres of animals, and the way from them to every keypoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcreg.contracts import Codec, Size, Targets
from dlcreg.models.codecs import maps
from dlcreg.models.codecs.centre_targets import Overlap, draw_gaussians, offset_maps, squares
from dlcreg.models.codecs.maps import Activation, Anchor
from dlcreg.models.codecs.mirroring import mirror, mirror_locref
from dlcreg.models.codecs.pose_nms import pose_nms
from dlcreg.registry import CODECS
from dlcreg.structures import Instances, Poses


class Candidates(NamedTuple):
    """Poses that centres speak of, before those found more than once are taken away.

    Args:
        cells: keypoints ``(B, P, K, 2)`` as x, y in cells.
        centre: value of the map of centres ``(B, P)``.
        heat: value of the heatmaps at the keypoints ``(B, P, K)``.
        found: bool ``(B, P)``; False for the rows that only pad.
    """

    cells: Tensor
    centre: Tensor
    heat: Tensor
    found: Tensor


@CODECS.register_module()
class DEKROffsets(Codec):
    """Disentangled keypoint regression (Geng et al., 2021): any number of animals in an image.

    ``heatmap`` has K maps of the keypoints and one of the animals' centres, the means of their
    labelled keypoints. ``offset`` says in the cells around a centre where the keypoints of that
    animal are: cell minus keypoint, in cells, channels x0, y0, x1, y1, ... A keypoint without a
    label is left out of its animal's offsets; the pose has all keypoints nevertheless.

    Of two animals whose centres are in one cell, or in cells side by side, only one can be found.

    The centre of cell i lies at pixel ``i * stride + (stride - 1) / 2``; with
    ``anchor="deeplabcut"`` at ``i * stride + stride / 2``, with ``anchor="corner"``, as in the
    original, at ``i * stride``.

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
        num_individuals: at most so many animals in an image, the best; None for all.
        anchor: where the cells lie, see above.
        shift_mirrored: `flip` is given the outputs of images that were moved left by
            ``stride - 1 - 2 * offset`` pixels after mirroring, so that their cells lie on those of
            the image, as the original moves them by 3. Otherwise the offsets are corrected.
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
        overlap: Overlap = "nearest",
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
        num_individuals: int | None = None,
        anchor: Anchor = "centre",
        shift_mirrored: bool = False,
        activation: Activation | None = None,
        stride: float | None = None,
    ) -> None:
        super().__init__(stride)
        maps.check_positive(
            sigma=(sigma, "cells"),
            centre_sigma=(centre_sigma, "cells or None"),
            radius=(radius, "cells"),
        )
        for name, value in (("background", background), ("min_area", min_area), ("nms", nms)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a number from 0 on, not {value:g}")
        for name, count in (("candidates", candidates), ("num_individuals", num_individuals)):
            if count is not None and count < 1:
                raise ValueError(f"{name} must be at least 1, not {count}")
        if window is not None and (window < 1 or window % 2 == 0):
            raise ValueError(f"window must be odd and at least 1 cell, or None, not {window}")
        if nms_keypoints is not None and nms_keypoints < 0:
            raise ValueError(f"nms_keypoints must be at least 0, or None, not {nms_keypoints}")
        self.sigma = sigma
        self.centre_sigma = 2 * sigma if centre_sigma is None else centre_sigma
        self.radius = radius
        self.background = background
        self.overlap: Overlap = overlap
        self.normalise_by = normalise_by
        self.min_area = min_area
        self.unlabelled = unlabelled
        self.truncate = truncate
        self.candidates = candidates
        self.threshold = threshold
        self.window = window
        self.nms = nms
        self.nms_keypoints = nms_keypoints
        self.nms_order = nms_order
        self.scores = scores
        self.read = read
        self.num_individuals = num_individuals
        self.anchor: Anchor = anchor
        self.shift_mirrored = shift_mirrored
        self.activation = activation

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
        centres, diagonal = _centres(positions, known)
        whole = known.any(dim=-1) & (instances.areas >= self.min_area)
        edge = pixels.new_tensor([size[1], size[0]]) - 0.5
        drawn = known & ((pixels >= -0.5) & (pixels < edge)).all(dim=-1)

        heatmap = positions.new_zeros(len(known), known.shape[2] + 1, *cells)
        draw_gaussians(heatmap[:, :-1], positions, drawn, self.sigma)
        draw_gaussians(heatmap[:, -1:], centres[:, :, None], whole[..., None], self.centre_sigma)
        present = torch.cat([drawn, whole[..., None]], dim=-1)
        of_map = maps.map_weight(present, self.unlabelled)
        weight = torch.where(heatmap > 0, of_map, of_map * self.background)
        offset = offset_maps(
            positions,
            drawn & whole[..., None],
            centres,
            1 / self._sizes(instances, diagonal),
            squares(centres, cells, self.radius, self.truncate),
            cells,
            self.overlap,
        )
        return {"heatmap": (heatmap, weight), "offset": offset}

    def decode(self, outputs: Mapping[str, Tensor], size: Size | None = None) -> Poses:
        """Return the poses of the highest centres, best first; scores are clipped to [0, 1]."""
        heatmap = self._likelihoods(outputs["heatmap"])
        cells, centre, found = self._regressed(heatmap[:, -1], outputs["offset"])
        return self._poses(Candidates(cells, centre, self._heat(heatmap, cells), found))

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

    def _regressed(self, centre: Tensor, offset: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return keypoints ``(B, P, K, 2)`` in cells, values ``(B, P)`` and which are found.

        Args:
            centre: map ``(B, h, w)`` of centres.
            offset: ``(B, 2K, h, w)``.
        """
        h, w = centre.shape[1:]
        window = self.window or _window(h, w)
        highest = F.max_pool2d(centre[:, None], window, stride=1, padding=window // 2)[:, 0]
        peaks = torch.where(centre == highest, centre, torch.zeros_like(centre))
        value, index = peaks.flatten(1).topk(min(self.candidates, h * w), dim=1)
        ways = offset.flatten(2).gather(2, index[:, None].expand(-1, offset.shape[1], -1))
        ways = ways.unflatten(1, (-1, 2)).permute(0, 3, 1, 2)  # (B, P, K, 2)
        row = torch.div(index, w, rounding_mode="floor")
        cell = torch.stack([index % w, row], dim=-1).to(ways.dtype)
        return cell[:, :, None] - ways, value, value > self.threshold

    def _heat(self, heatmap: Tensor, cells: Tensor) -> Tensor:
        """Return the values ``(B, P, K)`` of the keypoints' heatmaps at keypoints in cells."""
        if self.read == "cell":
            cells = cells.floor()
        elif self.read == "pixel":
            stride = self._known_stride()
            cells = torch.floor(cells * stride) / stride
        return read_maps(heatmap[:, :-1], cells)

    def _poses(self, found: Candidates) -> Poses:
        """Return what is left of candidates, the best first."""
        count = found.heat.shape[-1] // 2 if self.nms_keypoints is None else self.nms_keypoints
        quality = found.heat.mean(dim=-1) if self.nms_order == "heatmap" else found.centre
        kept = pose_nms(found.cells, quality, found.found, self.nms, count, least=0.5)
        scores = found.centre[..., None].expand_as(found.heat)
        scores = (scores * found.heat if self.scores == "combined" else scores).clamp(0, 1)
        overall = scores.mean(dim=-1).masked_fill(~kept, -1.0)
        most = min(self.num_individuals or kept.shape[1], kept.shape[1])
        order = overall.argsort(dim=1, descending=True, stable=True)[:, :most]
        valid = kept.gather(1, order)
        keypoints = found.cells * self._known_stride() + self._offset()
        of_points = order[..., None].expand(-1, -1, found.heat.shape[-1])
        keypoints = keypoints.gather(1, of_points[..., None].expand(-1, -1, -1, 2))
        return Poses(
            keypoints.masked_fill(~valid[..., None, None], 0.0),
            scores.gather(1, of_points).masked_fill(~valid[..., None], 0.0),
            overall.gather(1, order).masked_fill(~valid, 0.0),
            valid,
        )

    def _sizes(self, instances: Instances, diagonal: Tensor) -> Tensor:
        """Return the size ``(B, N)`` by which an animal's offsets are divided, at least 1."""
        if self.normalise_by == "area":
            return instances.areas.to(diagonal).clamp(min=1.0).sqrt()
        return diagonal.clamp(min=2 * self.radius)  # a keypoint alone has no extent

    def _offset(self) -> float:
        return maps.anchor_offset(self.anchor, self._known_stride())


def _centres(positions: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of each animal's known keypoints ``(B, N, 2)``, and their diagonal."""
    number = known.sum(dim=-1, keepdim=True).clamp(min=1)
    mean = (positions * known[..., None]).sum(dim=2) / number
    filled = torch.where(known[..., None], positions, mean[:, :, None])
    return mean, (filled.amax(dim=2) - filled.amin(dim=2)).norm(dim=-1)


def _window(height: int, width: int) -> int:
    mean = (height + width) / 2
    return 7 if mean > 300 else 5 if mean > 200 else 3


def read_maps(heatmap: Tensor, cells: Tensor) -> Tensor:
    """Return the values of maps between their cells, ``(B, P, K)``; the nearest value outside.

    Args:
        heatmap: ``(B, K, h, w)``.
        cells: x, y ``(B, P, K, 2)``.
    """
    h, w = heatmap.shape[-2:]
    x = cells[..., 0].clamp(0, w - 1).transpose(1, 2)  # (B, K, P)
    y = cells[..., 1].clamp(0, h - 1).transpose(1, 2)
    left, top = x.floor().clamp(max=max(w - 2, 0)), y.floor().clamp(max=max(h - 2, 0))
    right, bottom = (left + 1).clamp(max=w - 1), (top + 1).clamp(max=h - 1)

    def at(row: Tensor, column: Tensor) -> Tensor:
        return maps.cells_at(heatmap, row.long(), column.long())

    upper = torch.lerp(at(top, left), at(top, right), x - left)
    lower = torch.lerp(at(bottom, left), at(bottom, right), x - left)
    return torch.lerp(upper, lower, y - top).transpose(1, 2)
