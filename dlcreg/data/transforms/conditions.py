"""Conditions: the poses that a conditioned model is given, and the crops around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from dlcreg.contracts import Size
from dlcreg.data.keypoints import grown_boxes, tight_boxes
from dlcreg.data.transforms.arguments import pairs_of, probability
from dlcreg.data.transforms.labels import LabelTransform
from dlcreg.data.transforms.pose_errors import ErrorRates, Rates, draw_errors, similarity_radii
from dlcreg.flipping import flip_index
from dlcreg.registry import TRANSFORMS
from dlcreg.similarity import DEFAULT_SIGMA
from dlcreg.structures import Instances, Sample


@TRANSFORMS.register_module()
class GenerativeCondition(LabelTransform):
    """A condition made of the labels by errors as pose estimators make them (Zhou et al., 2023).

    Each labelled keypoint of the sample's first animal is put on the spot, jittered, missed, taken
    for its twin, or for the same part of an animal whose box overlaps; see `draw_errors`. Put it
    before `CropInstance`, and `ConditionBox` between them, so that the crop tells nothing that the
    condition does not.

    A sample that has a condition already, such as that of a proposal, keeps it but for a share `p`
    of them. So ``p=0`` makes conditions for those alone that have none. An animal that is proposed
    without a pose gets none, for there are no labels to make it of.

    Args:
        p: probability that a condition that is there already gives place to one that is made.
        rates: how often each kind of error happens: ``animals``, ``humans``, ``deeplabcut``, or a
            mapping such as ``dict(jitter=0.16, miss=0.1, inversion=0.03, swap=0.08)``; see
            `ErrorRates`.
        unlabelled: keypoints without a label are ``absent`` from the condition, as in DeepLabCut,
            or start, as in BUCTD, from the ``estimate`` of the condition that is there already.
        absent: probability that a keypoint is left out, for estimators that do not find all.
        sigmas: OKS constants, one for each keypoint or one for all, by which the size of an error
            is measured; None: those of the data set, or 0.1.
        min_aspect: a side of the animal's extent counts at least as this share of the other one,
            so that a long animal that lies level has errors too; a single keypoint has the
            extent of its box. 0: the extent as it is, as in BUCTD.
        flip_pairs: pairs of indices of left and right twins; None: the data set's.
        num_keypoints: wired from the data set.
        keypoint_names: wired from the data set.

    Raises:
        ValueError: probabilities, rates or sigmas that make no sense.
    """

    def __init__(
        self,
        p: float = 1.0,
        rates: Rates | Mapping[str, float] = "animals",
        unlabelled: Literal["absent", "estimate"] = "absent",
        absent: float = 0.0,
        sigmas: float | Sequence[float] | None = None,
        min_aspect: float = 0.25,
        flip_pairs: Sequence[tuple[int, int]] | None = None,
        num_keypoints: int | None = None,
        keypoint_names: Sequence[str] | None = None,
    ) -> None:
        if unlabelled not in ("absent", "estimate"):
            raise ValueError(f"unlabelled must be 'absent' or 'estimate', not {unlabelled!r}")
        if sigmas is not None and np.min(sigmas) <= 0:
            raise ValueError(f"sigmas={sigmas!r}: give positive numbers")
        if num_keypoints is not None and np.ndim(sigmas or 0) and len(sigmas) != num_keypoints:  # type: ignore[arg-type]
            raise ValueError(f"sigmas has {len(sigmas)} entries for {num_keypoints} keypoints")  # type: ignore[arg-type]
        if not 0 <= min_aspect <= 1:
            raise ValueError(f"min_aspect must lie between 0 and 1, not {min_aspect:g}")
        self.p, self.absent = probability(p), probability(absent)
        self.rates = ErrorRates(rates, keypoint_names)
        self.unlabelled, self.min_aspect = unlabelled, float(min_aspect)
        self.sigmas = DEFAULT_SIGMA if sigmas is None else sigmas
        self.flip_pairs = pairs_of(flip_pairs, num_keypoints)

    def relabel(self, sample: Sample, size: Size, rng: np.random.Generator) -> Sample:
        """Return the sample with a condition; absent keypoints are 0 and have score 0."""
        replaces = rng.random() < self.p
        known = sample.condition
        labels = sample.instances
        if known is not None and not (replaces and len(labels) and labels.visibility[0].any()):
            return sample
        if len(labels) and labels.visibility[0].any():
            condition = self._drawn(labels, sample.neighbours, known, rng)
        elif sample.neighbours is None:  # a box that came without a pose, and no labels
            return sample
        else:
            condition = np.zeros((labels.keypoints.shape[1], 3), np.float32)
        return replace(sample, condition=condition)

    def _drawn(
        self,
        labels: Instances,
        neighbours: Instances | None,
        known: np.ndarray | None,
        rng: np.random.Generator,
    ) -> np.ndarray:
        count = labels.keypoints.shape[1]
        own, seen = labels.keypoints[0].astype(np.float64), labels.visibility[0] > 0
        starts = seen
        if self.unlabelled == "estimate" and known is not None:
            guessed = ~seen & (known[:, 2] > 0)
            own[guessed], starts = known[guessed, :2], seen | guessed
        twin = flip_index(self.flip_pairs or (), count)
        others, their = self._near(labels, neighbours)
        sources = np.concatenate([own[None], own[twin][None], others, others[:, twin]])
        has_twin = twin != np.arange(count)
        there = np.concatenate(
            [starts[None], (seen[twin] & has_twin)[None], their, their[:, twin] & has_twin]
        )
        sigmas = np.broadcast_to(np.asarray(self.sigmas, np.float64), (count,))
        points, kinds = draw_errors(
            sources.swapaxes(0, 1),
            there.T,
            self.rates.of(int(seen.sum()), count),
            similarity_radii(self._area(labels), sigmas),
            rng,
        )
        keep = (kinds >= 0) & (rng.random(count) >= self.absent)
        return np.where(keep[:, None], np.column_stack([points, keep]), 0).astype(np.float32)

    def _near(
        self, labels: Instances, neighbours: Instances | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return keypoints ``(A, K, 2)`` of animals whose box overlaps, and which are labelled."""
        if neighbours is None or not len(neighbours):
            count = labels.keypoints.shape[1]
            return np.zeros((0, count, 2)), np.zeros((0, count), bool)
        box, boxes = labels.boxes[0], neighbours.boxes
        low = np.maximum(box[:2], boxes[:, :2])
        high = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:])
        near = (high > low).all(axis=1)
        return neighbours.keypoints[near].astype(np.float64), neighbours.visibility[near] > 0

    def _area(self, labels: Instances) -> float:
        """Return the area of the animal in square pixels, which scales its errors."""
        seen = labels.visibility[:1] > 0
        sides = tight_boxes(labels.keypoints[:1], seen)[0, 2:]
        if not sides.any():  # a single keypoint
            sides = labels.boxes[0, 2:]
        return float(np.prod(np.maximum(sides, self.min_aspect * sides.max())))


@TRANSFORMS.register_module()
class ConditionBox(LabelTransform):
    """The box of the sample's first animal becomes the extent of its condition.

    Put it before `CropInstance`, which cuts the box out: a conditioned model is to see what its
    condition says and no more, and finds an animal where the condition is. A condition without a
    keypoint, and a sample without a condition, leave the box as it is.

    Args:
        margin: pixels between the outermost keypoint and the box. DeepLabCut has 25, and no
            `padding` in its crop.
        min_side: pixels that a side has at least, for conditions of one keypoint or two.

    Raises:
        ValueError: a number below 0.
    """

    def __init__(self, margin: float = 25.0, min_side: float = 1.0) -> None:
        if not 0 <= margin < np.inf:
            raise ValueError(f"margin is a number of pixels from 0 on, not {margin:g}")
        if not 0 <= min_side < np.inf:
            raise ValueError(f"min_side is a number of pixels from 0 on, not {min_side:g}")
        self.margin, self.min_side = float(margin), float(min_side)

    def relabel(self, sample: Sample, size: Size, rng: np.random.Generator) -> Sample:
        """Return the sample with the box of its condition, cut at the border of the image."""
        condition, instances = sample.condition, sample.instances
        if condition is None or not len(instances) or not (condition[:, 2] > 0).any():
            return sample
        box = tight_boxes(condition[None, :, :2], condition[None, :, 2] > 0)
        grow = np.maximum((self.min_side - box[:, 2:] - 2 * self.margin) / 2, 0)
        box = np.concatenate([box[:, :2] - grow, box[:, 2:] + 2 * grow], axis=1)
        box = grown_boxes(box, self.margin, size)
        if not (box[:, 2:] > 0).all():  # wholly outside the image
            return sample
        boxes = instances.boxes.copy()
        boxes[0] = box[0]
        return replace(sample, instances=replace(instances, boxes=boxes))
