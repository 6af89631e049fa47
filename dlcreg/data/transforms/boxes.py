"""What happens to the box of an instance crop, and to what lies outside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlcreg.contracts import Size, Transform
from dlcreg.data.transforms.arguments import Range, probability, range_of
from dlcreg.data.transforms.labels import LabelTransform
from dlcreg.registry import TRANSFORMS
from dlcreg.structures import Sample


@TRANSFORMS.register_module()
class JitterBox(LabelTransform):
    """Shift and resize the box of a sample's first animal, as detectors do by mistake.

    Put it before `CropInstance`, which cuts out the box: a model that was trained on such crops
    minds it less that detected boxes are not labelled ones. Labels and image stay as they are. The
    defaults are about RTMPose's (Jiang et al., 2023).

    Args:
        shift: as a share of the box's width and height, drawn evenly from ``(low, high)``; one
            number s means ``(-s, s)``.
        scale: factor on both sides, likewise; one number is used as it is.
        p_shift: probability that the box is shifted.
        p_scale: probability that it is resized.

    Raises:
        ValueError: a range that runs backwards, or a scale that is not positive.
    """

    def __init__(
        self,
        shift: Range = 0.16,
        scale: Range = (0.75, 1.25),
        p_shift: float = 0.3,
        p_scale: float = 1.0,
    ) -> None:
        self.shift = range_of("shift", shift, mirrored=True)
        self.scale = range_of("scale", scale, mirrored=False)
        self.p_shift, self.p_scale = probability(p_shift), probability(p_scale)
        if self.scale[0] <= 0:
            raise ValueError(f"scale must be positive, not {scale}")

    def relabel(self, sample: Sample, size: Size, rng: np.random.Generator) -> Sample:
        """Return the sample with another box of its first animal."""
        shifts, resizes = rng.random() < self.p_shift, rng.random() < self.p_scale
        shift = rng.uniform(*self.shift, size=2) * shifts
        scale = rng.uniform(*self.scale) if resizes else 1.0
        if not len(sample.instances):
            return sample
        boxes = sample.instances.boxes.copy()
        corner, extent = boxes[0, :2], boxes[0, 2:]
        boxes[0, :2] = corner + extent * (0.5 + shift - scale / 2)
        boxes[0, 2:] = extent * scale
        return replace(sample, instances=replace(sample.instances, boxes=boxes))


@TRANSFORMS.register_module()
class MaskOutsideBox(Transform):
    """Blank all that lies outside the box of a sample's first animal: a crop without context.

    Put it before ``CropInstance(padding=1.0)`` for DeepLabCut's top-down crop without context: the
    tight box, and nothing where it was widened to the crop's aspect. Labels outside the box stay
    what they are.

    Args:
        fill: grey value of what is blanked.
    """

    def __init__(self, fill: int = 0) -> None:
        if not 0 <= fill <= 255:
            raise ValueError(f"fill must be a grey value from 0 to 255, not {fill}")
        self.fill = int(fill)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with nothing outside the box; a sample without animals as it is."""
        if not len(sample.instances):
            return sample
        height, width = sample.image.shape[:2]
        x, y, w, h = map(float, sample.instances.boxes[0])
        left, right = np.clip(np.rint([x, x + w]), 0, width).astype(int)
        top, bottom = np.clip(np.rint([y, y + h]), 0, height).astype(int)
        image = np.full_like(sample.image, self.fill)
        image[top:bottom, left:right] = sample.image[top:bottom, left:right]
        return replace(sample, image=image)
