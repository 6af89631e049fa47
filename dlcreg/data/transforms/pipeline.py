"""Transforms in a row, with the geometric ones composed to a single warp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlcreg.contracts import Transform
from dlcreg.data.transforms.warp import GeometricTransform, Warp, compose, move_labels, warp_image
from dlcreg.structures import Sample


class Pipeline(Transform):
    """Runs transforms in order; consecutive geometric ones sample the image once.

    So nothing that an earlier one cut away is lost to a later one: a rotation after a crop
    turns in what lay beside the crop. Two that fill the outside differently are not merged.

    Args:
        transforms: the steps; none leaves samples as they are.
    """

    def __init__(self, transforms: Sequence[Transform] = ()) -> None:
        self.transforms = tuple(transforms)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample after all steps."""
        pending: Warp | None = None
        for transform in self.transforms:
            if isinstance(transform, GeometricTransform):
                size = pending.size if pending else sample.image.shape[:2]
                warp = transform.warp(size, sample.instances, rng)
                if warp is None:
                    continue
                if pending and _clash(pending, warp):
                    sample, pending = _sampled(sample, pending), None
                sample = move_labels(sample, warp)
                pending = _merged(pending, warp) if pending else warp
            else:
                sample, pending = _sampled(sample, pending), None
                if not sample.image.flags.writeable:  # a cached frame: not to be drawn on
                    sample = replace(sample, image=sample.image.copy())
                sample = transform(sample, rng)
        return _sampled(sample, pending)


def _clash(first: Warp, second: Warp) -> bool:
    if first.border is None or second.border is None:
        return False
    return (first.border, first.fill) != (second.border, second.fill)


def _merged(first: Warp, second: Warp) -> Warp:
    says = second if second.border is not None else first
    return Warp(
        compose(second.matrix, first.matrix), second.size, border=says.border, fill=says.fill
    )


def _sampled(sample: Sample, warp: Warp | None) -> Sample:
    if warp is None:
        return sample
    return replace(sample, image=warp_image(sample.image, warp))
