"""Transforms that leave every pixel alone."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from dlcreg.contracts import Size, Transform
from dlcreg.structures import Sample


class LabelTransform(Transform):
    """A transform that changes labels, boxes or the condition, and neither image nor matrix.

    A `Pipeline` samples the image once for what comes before and after it.
    """

    @abstractmethod
    def relabel(self, sample: Sample, size: Size, rng: np.random.Generator) -> Sample:
        """Return the sample with other labels.

        Args:
            sample: its labels are in pixels of the image as it is to become; the pixels may not
                have been moved yet, and are not to be looked at.
            size: height and width of that image.
            rng: the only source of randomness.
        """

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with other labels."""
        return self.relabel(sample, sample.image.shape[:2], rng)
