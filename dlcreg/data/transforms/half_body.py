"""Crops of half an animal, so that one learns those that are cut off or hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlcreg.contracts import Size
from dlcreg.data.keypoints import resolve_name
from dlcreg.data.transforms.arguments import probability
from dlcreg.data.transforms.labels import LabelTransform
from dlcreg.registry import TRANSFORMS
from dlcreg.structures import Sample


@TRANSFORMS.register_module()
class HalfBody(LabelTransform):
    """At times the box of an instance crop is that of one half of the animal (Wang et al., 2018).

    Put it before `CropInstance`, which cuts out the box. The new one is the extent of one half's
    labelled keypoints, enlarged; labels and image stay as they are.

    Args:
        upper: keypoints of one half, by name or index.
        lower: keypoints of the other half, likewise.
        p: probability that anything is done, for an animal with enough labels.
        p_upper: probability that it is `upper`, where both halves have enough labels.
        min_keypoints: labelled keypoints that an animal needs.
        min_upper: labelled keypoints that `upper` needs.
        min_lower: labelled keypoints that `lower` needs.
        padding: how much larger than the keypoints' extent the box is. With the 1.25 of
            `CropInstance` it makes the 1.5 of HRNet and RTMPose.
        keypoint_names: wired from the data set; None: halves are indices, not to be checked.

    Raises:
        ValueError: no keypoint in a half, or one in both; numbers that make no sense.
        DataError: a keypoint that does not exist.
    """

    def __init__(
        self,
        upper: Sequence[str | int],
        lower: Sequence[str | int],
        p: float = 0.3,
        p_upper: float = 0.7,
        min_keypoints: int = 9,
        min_upper: int = 2,
        min_lower: int = 3,
        padding: float = 1.2,
        keypoint_names: Sequence[str] | None = None,
    ) -> None:
        names = keypoint_names or ()
        self.halves = tuple(
            np.array([_index(value, names, what) for value in half], np.int64)
            for half, what in ((upper, "upper"), (lower, "lower"))
        )
        if not len(upper) or not len(lower):
            raise ValueError("upper and lower need at least one keypoint each")
        both = set(self.halves[0].tolist()) & set(self.halves[1].tolist())
        if both:
            shared = repr(names[min(both)]) if names else min(both)
            raise ValueError(f"upper and lower share the keypoint {shared}")
        if min(min_keypoints, min_upper, min_lower) < 1:
            raise ValueError("min_keypoints, min_upper and min_lower must be at least 1")
        if not 0 < padding < np.inf:
            raise ValueError(f"padding must be positive, not {padding:g}")
        self.p, self.p_upper = probability(p), probability(p_upper)
        self.min_keypoints = min_keypoints
        self.least = (min_upper, min_lower)
        self.padding = float(padding)

    def relabel(self, sample: Sample, size: Size, rng: np.random.Generator) -> Sample:
        """Return the sample, its first animal's box perhaps that of one half."""
        acts, takes_upper = rng.random() < self.p, rng.random() < self.p_upper
        instances = sample.instances
        if not acts or not len(instances):
            return sample
        known = instances.visibility[0] > 0
        if known.sum() < self.min_keypoints:
            return sample
        labelled = [half[known[half]] for half in self.halves]
        enough = [len(half) >= least for half, least in zip(labelled, self.least, strict=True)]
        if not any(enough):
            return sample
        chosen = labelled[0 if enough[0] and (takes_upper or not enough[1]) else 1]
        points = instances.keypoints[0, chosen]
        low, high = points.min(axis=0), points.max(axis=0)
        extent = (high - low) * self.padding
        boxes = instances.boxes.copy()
        boxes[0] = np.concatenate([(low + high - extent) / 2, extent])
        return replace(sample, instances=replace(instances, boxes=boxes))


def _index(value: str | int, names: Sequence[str], what: str) -> int:
    """Return the index of a keypoint, checked where the keypoints are known."""
    return resolve_name(value, names, what) if names or isinstance(value, str) else value
