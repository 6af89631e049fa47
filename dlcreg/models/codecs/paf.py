"""Part affinity fields: keypoints of several animals, and which of them belong together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from dlcreg.contracts import Codec, Outcomes, Size, Targets
from dlcreg.models.codecs import maps
from dlcreg.models.codecs.drawing import Overlap, discs, limb_fields
from dlcreg.models.codecs.maps import Activation, Anchor
from dlcreg.models.codecs.mirroring import mirror_fields, mirror_outputs
from dlcreg.models.codecs.paf_affinities import Affinity, edge_affinities
from dlcreg.models.codecs.paf_assembly import Assembler, Growth, Suppression
from dlcreg.models.codecs.paf_detection import (
    Detections,
    Detector,
    PeakScore,
    Search,
    check_detector,
)
from dlcreg.models.codecs.paf_graph import check_graph, complete_graph, twin_edges
from dlcreg.models.codecs.paf_poses import assembled, best_detections
from dlcreg.models.codecs.paf_selection import Seen, owners_of, select
from dlcreg.models.codecs.resizing import resize_outputs
from dlcreg.registry import CODECS
from dlcreg.structures import Instances, Poses

_MANY = 32
"""Detections of a keypoint that are looked at where the number of animals is not known."""


@CODECS.register_module()
class PartAffinityFields(Codec, nn.Module):
    """Heatmaps, location refinement and part affinity fields for several animals.

    Part affinity fields (Cao et al., 2017) lie along the limbs: for each edge of a graph a map of
    vectors that point from one keypoint to the other. With them, the detections of the heatmaps
    are put together to animals as in DeepLabCut (Lauer et al., 2022). Keypoints of an animal that
    are not found have the coordinates NaN and the score 0.

    The centre of cell i lies at pixel ``i * stride + stride / 2``, as in DeepLabCut; with
    ``anchor="centre"`` at ``i * stride + (stride - 1) / 2``.

    The score of an animal is the mean score of its keypoints, those not found counting 0, times
    the mean affinity of its links, at most 1.

    Args:
        num_keypoints: number of keypoints K, at least 2.
        skeleton: edges of the data's skeleton, for ``graph="skeleton"``.
        num_individuals: animals in an image at most; the largest ones are kept. None for any
            number. With 1, the best detection of each keypoint is taken, without affinities.
        graph: the edges: ``complete`` for all pairs of keypoints (of 15 keypoints on, some that
            connect them all, see `dlcreg.models.codecs.paf_graph.complete_graph`), ``skeleton``
            for those of the data, or pairs of indices.
        heatmap: ``plateau`` for discs of ones, ``gaussian`` for Gaussians.
        radius: pixels around a keypoint in which location refinement is trained, and of the discs.
        sigma: standard deviation of the Gaussians in cells; None for 2/3 of `radius`.
        width: pixels at both sides of a limb in which its field falls to 0.
        locref_std: pixels for a location refinement of 1; None for no location refinement.
        anchor: where the cells lie, see above.
        whole_pixels: read the cells at whole pixels, cut off, as in DeepLabCut's PyTorch engine: at
            a stride of 1 that is half a pixel beside where they are drawn.
        overlap: the animal that a cell speaks of where location refinement or fields of several
            overlap: the nearest one, or, as in DeepLabCut, the last one.
        unlabelled: maps for which no animal has a label give no gradient (``ignore``), or are
            learnt as empty (``background``, what DeepLabCut does).
        search: what peaks are looked for in: the heatmap together with location refinement, or
            the smoothed heatmap (``blurred``), as in DeepLabCut, see
            `dlcreg.models.codecs.paf_detection.Detector`.
        blur: standard deviation in cells of that smoothing; 0 for none.
        window: cells along each side of the window that a peak is the highest cell of, odd.
        min_peak: value of the map that is searched from which on a peak counts.
        min_score: score from which on a detection is used.
        score: a detection's score is the heatmap at the peak as it is, as in DeepLabCut's
            TensorFlow engine, or smoothed (``blurred``), as in its PyTorch engine.
        apart: pixels within which two detections of a keypoint are one; None for half of
            `radius`, 0 keeps all, as in DeepLabCut.
        affinity: see `dlcreg.models.codecs.paf_affinities.edge_affinities`.
        min_affinity: of a link.
        min_links: links of an animal; of two keypoints, which one edge links, 1.
        suppression: see `dlcreg.models.codecs.paf_assembly.Assembler`.
        max_overlap: share of keypoints from which on two animals are one.
        growth: see there, too.
        fuse: put parts of animals together where there are more than `num_individuals`.
        select_graph: at the end of a training, keep the edges that tell the animals of the
            training part apart best, see `dlcreg.models.codecs.paf_selection`.
        activation: applied to the heatmap before decoding; None: what its loss implies.
        stride: pixels for each cell; None: the head says it.

    Attributes:
        kept_edges: bool ``(L,)``, the edges that animals are assembled along; part of the state
            dict. All, unless some were chosen.

    Raises:
        ValueError: values that make no sense, or edges that do not link all keypoints.
    """

    activation: str | None = None
    kept_edges: Tensor

    def __init__(
        self,
        num_keypoints: int,
        skeleton: Sequence[tuple[int, int]] = (),
        num_individuals: int | None = None,
        graph: Literal["complete", "skeleton"] | Sequence[tuple[int, int]] = "complete",
        heatmap: Literal["plateau", "gaussian"] = "plateau",
        radius: float = 17.0,
        sigma: float | None = None,
        width: float = 20.0,
        locref_std: float | None = 7.2801,
        anchor: Anchor = "deeplabcut",
        whole_pixels: bool = False,
        overlap: Overlap = "nearest",
        unlabelled: Literal["ignore", "background"] = "ignore",
        search: Search = "refined",
        blur: float = 1.0,
        window: int = 5,
        min_peak: float = 0.01,
        min_score: float = 0.1,
        score: PeakScore = "peak",
        apart: float | None = None,
        affinity: Affinity = "line",
        min_affinity: float = 0.05,
        min_links: int = 2,
        suppression: Suppression = "keypoints",
        max_overlap: float = 0.8,
        growth: Growth = "votes",
        fuse: bool = True,
        select_graph: bool = False,
        activation: Activation | None = None,
        stride: float | None = None,
    ) -> None:
        nn.Module.__init__(self)
        Codec.__init__(self, stride)
        if num_keypoints < 2:
            raise ValueError(
                f"num_keypoints is {num_keypoints}, but part affinity fields link keypoints: they "
                "need at least 2"
            )
        if num_individuals is not None and num_individuals < 1:
            raise ValueError(f"num_individuals must be at least 1 or None, not {num_individuals}")
        maps.check_positive(
            radius=(radius, "pixels"),
            sigma=(sigma, "cells or None"),
            width=(width, "pixels"),
            locref_std=(locref_std, "pixels or None"),
            max_overlap=(max_overlap, "as a share"),
        )
        check_detector(blur, window, min_peak)
        if min_links < 1:
            raise ValueError(f"min_links must be at least 1, not {min_links}")
        self.num_keypoints = num_keypoints
        self.max_individuals = num_individuals  # type: ignore[misc]
        self.edges = _edges(graph, skeleton, num_keypoints)
        self.heatmap = heatmap
        self.radius, self.sigma, self.width = radius, sigma, width
        self.locref_std = locref_std
        self.anchor, self.overlap, self.unlabelled = anchor, overlap, unlabelled
        self.whole_pixels = whole_pixels
        self.min_score, self.affinity = min_score, affinity
        apart = radius / 2 if apart is None else apart
        self._detector = Detector(locref_std, search, blur, window, min_peak, score, apart)
        self._assembler = Assembler(
            self.edges,
            num_keypoints,
            num_individuals,
            min_affinity,
            min(min_links, num_keypoints - 1),
            suppression,
            max_overlap,
            radius,
            growth,
            fuse,
        )
        self.calibrates = select_graph
        self.activation = activation
        self.register_buffer("kept_edges", torch.ones(len(self.edges), dtype=torch.bool))

    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return K channels of heatmap, 2K of locref, where there is one, and 2L of paf."""
        return {**maps.channels(num_keypoints, self.locref_std), "paf": 2 * len(self.edges)}

    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return heatmap ``(B, K, h, w)``, locref ``(B, 2K, h, w)`` and paf ``(B, 2L, h, w)``.

        Each comes with its weight. A field has the weight 1 where an animal has both keypoints of
        its edge, or everywhere with ``unlabelled="background"``.
        """
        stride, cells = self._known_stride(), self.map_size(size)
        known = maps.labelled(instances)
        points = (instances.keypoints.float() - self._offset()) / stride
        targets = {}
        weight = maps.map_weight(known, self.unlabelled)
        unit = (self.locref_std or stride) / stride
        drawn = discs(points, known, cells, self.radius / stride, self.overlap, unit)
        if self.heatmap == "gaussian":
            sigma = self.sigma or self.radius / stride * 2 / 3
            targets["heatmap"] = (maps.gaussian_maps(points, known, cells, sigma), weight)
        else:
            targets["heatmap"] = (drawn.disc, weight)
        if self.locref_std is not None:
            targets["locref"] = (drawn.way, drawn.mask)
        edges = torch.tensor(self.edges, device=points.device)
        fields = limb_fields(points, known, edges, cells, self.width / stride, self.overlap)
        both = known[..., edges[:, 0]] & known[..., edges[:, 1]]
        weight = maps.map_weight(both, self.unlabelled).repeat_interleave(2, dim=1)
        targets["paf"] = (fields, weight)
        return targets

    def decode(self, outputs: Mapping[str, Tensor], size: Size | None = None) -> Poses:
        """Return the animals, the ones of the highest affinity first."""
        found = self.detect(outputs)
        if self.max_individuals == 1:
            return best_detections(found, self.min_score)
        kept = self.kept_edges.nonzero()[:, 0].tolist()
        assembler = self._along(kept)
        arrays = self._arrays(found, self.affinities(outputs, found)[:, kept])
        return assembled(found, [assembler(*image) for image in zip(*arrays)], self.max_individuals)

    def detect(self, outputs: Mapping[str, Tensor]) -> Detections:
        """Return what the heatmaps show of each keypoint, before it is put together to animals."""
        stride = self._known_stride()
        cells = self.radius / stride
        mass = math.pi * cells**2
        if self.heatmap == "gaussian":
            mass = 2 * math.pi * (self.sigma or cells * 2 / 3) ** 2
        heatmap = maps.activate(outputs["heatmap"], self.activation, mass)
        most = self.max_individuals or _MANY
        offset = math.floor(self._offset()) if self.whole_pixels else self._offset()
        return self._detector(heatmap, outputs.get("locref"), most, stride, offset)

    def affinities(self, outputs: Mapping[str, Tensor], found: Detections) -> Tensor:
        """Return the affinities ``(B, L, M, M)`` of all pairs of detections that an edge links."""
        edges = torch.tensor(self.edges, device=found.cells.device)
        return edge_affinities(outputs["paf"], found.cells, edges, affinity=self.affinity)

    def calibrate(self, outcomes: Outcomes) -> dict[str, str]:
        """Keep the edges that tell the labelled animals apart best."""
        images = [
            seen for outputs, instances in outcomes for seen in self._seen(outputs, instances)
        ]
        chosen = select(
            images,
            self.edges,
            lambda seen, kept: self._along(kept)(
                seen.keypoints, seen.used, seen.affinities[list(kept)]
            ),
        )
        self.kept_edges.zero_()
        self.kept_edges[chosen.kept] = True
        return {
            "edges kept": f"{len(chosen.kept)} of {len(self.edges)}, which put "
            f"{chosen.quality:.1%} of the labelled keypoints of the training part into the right "
            f"animal (all edges: {chosen.of_all:.1%})"
        }

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the outputs of a mirrored input as of the input.

        With ``anchor="deeplabcut"`` the cells do not mirror onto themselves: the maps lie one pixel
        off, which location refinement makes good.

        Raises:
            ValueError: the graph lacks the edge between the twins of an edge's keypoints.
        """
        shift = self._known_stride() - 1 - 2 * self._offset()
        mirrored = mirror_outputs(outputs, flip_index, self.locref_std, shift)
        twins, signs = twin_edges(self.edges, flip_index.tolist())
        mirrored["paf"] = mirror_fields(outputs["paf"], twins, signs)
        return mirrored

    def resize(self, outputs: Mapping[str, Tensor], scale: float, size: Size) -> dict[str, Tensor]:
        """Return the outputs of a resized input as of the input."""
        stride, offset = self._known_stride(), self._offset()
        return resize_outputs(outputs, scale, self.map_size(size), stride, offset)

    def _arrays(
        self, found: Detections, affinities: Tensor
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return keypoints, which of them are used, and affinities, for the CPU."""
        used = found.found & (found.scores >= self.min_score)
        keypoints, affinities = (v.detach().float().cpu() for v in (found.keypoints, affinities))
        # what a field without numbers would link stays apart
        affinities = affinities.nan_to_num(0.0, posinf=0.0, neginf=0.0)
        return keypoints.numpy(), used.cpu().numpy(), affinities.numpy()

    def _seen(self, outputs: Mapping[str, Tensor], instances: Instances) -> Iterator[Seen]:
        found = self.detect(outputs)
        arrays = self._arrays(found, self.affinities(outputs, found))
        labels = instances.keypoints.float().cpu().numpy(), maps.labelled(instances).cpu().numpy()
        for points, used, affinities, label, known in zip(*arrays, *labels):
            owners = owners_of(points, used, label, known, self.radius)
            yield Seen(points, used, affinities, owners, int(known.sum()))

    def _along(self, kept: Sequence[int]) -> Assembler:
        """Return what puts animals together along some of the edges."""
        return replace(self._assembler, edges=[self.edges[index] for index in kept])

    def _offset(self) -> float:
        return maps.anchor_offset(self.anchor, self._known_stride())


def _edges(
    graph: str | Sequence[tuple[int, int]], skeleton: Sequence[tuple[int, int]], count: int
) -> tuple[tuple[int, int], ...]:
    """Return the edges that an argument `graph` asks for, checked."""
    if graph == "complete":
        return complete_graph(count)
    if graph == "skeleton":
        if not skeleton:
            raise ValueError(
                "graph is 'skeleton', but the data has no skeleton: give it one, or take "
                "graph='complete'"
            )
        return check_graph(skeleton, count, "skeleton")
    if isinstance(graph, str):
        raise ValueError(f"graph must be 'complete', 'skeleton' or a list of edges, not {graph!r}")
    return check_graph(graph, count, "graph")
