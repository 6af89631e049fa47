"""Transforms in a row, with the geometric ones composed to a single warp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlcreg.contracts import Transform
from dlcreg.data.transforms.labels import LabelTransform
from dlcreg.data.transforms.warp import GeometricTransform, Warp, compose, move_labels, warp_image
from dlcreg.flipping import flip_index
from dlcreg.structures import Sample


class Pipeline(Transform):
    """Runs transforms in order; consecutive geometric ones sample the image once.

    So nothing that an earlier one cut away is lost to a later one: a rotation after a crop
    turns in what lay beside the crop. Two that fill the outside differently are not merged. What
    changes labels alone may stand between them.

    Where the steps have mirrored the image, left and right unique body parts change places at the
    end; those of the animals do within the steps.

    Args:
        transforms: the steps; none leaves samples as they are.
        unique_flip_pairs: pairs of indices of left and right twins among unique body parts.
    """

    def __init__(
        self,
        transforms: Sequence[Transform] = (),
        unique_flip_pairs: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.transforms = tuple(transforms)
        self.unique_flip_pairs = tuple(unique_flip_pairs)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample after all steps."""
        result = self._run(sample, rng)
        unique = result.instances.unique
        if unique is None or _handed(result) == _handed(sample):
            return result
        swap = flip_index(self.unique_flip_pairs, unique.keypoints.shape[1])
        unique = replace(
            unique, keypoints=unique.keypoints[:, swap], visibility=unique.visibility[:, swap]
        )
        return replace(result, instances=replace(result.instances, unique=unique))

    def single_warp(self, sample: Sample) -> Warp | None:
        """Return the one move that all steps together are, for samples like this one.

        Args:
            sample: its image's size and its labels may count.

        Raises:
            ValueError: a step does something else to images than to move them, or two fill the
                outside differently.
        """
        whole: Warp | None = None
        rng = np.random.default_rng(0)
        for transform in self.transforms:
            name = type(transform).__name__
            if isinstance(transform, LabelTransform):
                continue
            if not isinstance(transform, GeometricTransform):
                raise ValueError(f"{name} does more to images than to move them")
            size = whole.size if whole else sample.image.shape[:2]
            warp = transform.warp(size, sample.instances, rng)
            if warp is None:
                continue
            if whole and _clash(whole, warp):
                raise ValueError(f"{name} fills the outside in another way than a step before it")
            whole = _merged(whole, warp) if whole else warp
        return whole

    def _run(self, sample: Sample, rng: np.random.Generator) -> Sample:
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
            elif isinstance(transform, LabelTransform):
                size = pending.size if pending else sample.image.shape[:2]
                sample = transform.relabel(sample, size, rng)
            else:
                sample, pending = _sampled(sample, pending), None
                if not sample.image.flags.writeable:  # a cached frame: not to be drawn on
                    sample = replace(sample, image=sample.image.copy())
                sample = transform(sample, rng)
        return _sampled(sample, pending)


def _handed(sample: Sample) -> bool:
    """Whether the image is a mirror image of the original."""
    return bool(np.linalg.det(sample.matrix[:, :2]) < 0)


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
