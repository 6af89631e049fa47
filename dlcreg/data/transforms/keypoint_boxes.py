"""Boxes made of keypoints anew, once the image has been turned and cut."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dlcreg.contracts import Transform
from dlcreg.data.keypoints import grown_boxes, tight_boxes
from dlcreg.registry import TRANSFORMS
from dlcreg.structures import Sample


@TRANSFORMS.register_module()
class KeypointBoxes(Transform):
    """Each animal's box is the extent of its labelled keypoints in the image as it is now.

    A box that is rotated with the image must grow to hold what was in its corners; put this behind
    the geometric transforms, and a detector learns boxes as tight as those that it is measured on.
    Keypoints outside the image do not count, and the box of an animal without any is left as it is.

    Args:
        margin: pixels of the image as it is now between the outermost keypoints and the box.

    Raises:
        ValueError: a margin below 0.
    """

    def __init__(self, margin: float = 10.0) -> None:
        if not 0 <= margin < math.inf:
            raise ValueError(f"margin is a number of pixels from 0 on, not {margin:g}")
        self.margin = float(margin)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with boxes of its own."""
        instances, size = sample.instances, sample.image.shape[:2]
        limit = np.array(size[::-1]) - 0.5
        within = ((instances.keypoints >= -0.5) & (instances.keypoints < limit)).all(axis=-1)
        seen = within & (instances.visibility > 0)
        boxes = grown_boxes(tight_boxes(instances.keypoints, seen), self.margin, size)
        boxes = np.where(seen.any(axis=-1, keepdims=True), boxes, instances.boxes)
        return replace(sample, instances=replace(instances, boxes=boxes.astype(np.float32)))
