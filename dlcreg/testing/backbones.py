"""The checks of backbones; conditioned ones have further checks of their own."""

from __future__ import annotations

import torch

from dlcreg.conditioning import takes_condition
from dlcreg.testing.maps import MAP_CHECKS
from dlcreg.testing.modules import MODULE_CHECKS, bfloat16, inputs_of, run
from dlcreg.testing.results import fail, skip
from dlcreg.testing.samples import conditions, difference
from dlcreg.testing.subject import Subject


def looks_at_its_condition(subject: Subject) -> str:
    """A conditioned backbone gives other maps for another condition of the same images."""
    if not takes_condition(subject.built):
        skip("it takes no condition")
    images, condition = inputs_of(subject)
    height, width = images.shape[-2:]
    other = conditions((height, width), len(images), seed=1)
    first, second = (run(subject.built, (images, one)) for one in (condition, other))
    apart, _ = difference(first, second)
    if not apart:
        fail(
            "gives the same maps for another condition",
            "that it makes a difference",
            "Let forward use its parameter condition, or take it out",
        )
    return f"changes its maps by {apart:.2g} of their size"


def unknown_keypoints_leave_nothing(subject: Subject) -> str:
    """Where a keypoint of a condition has no score, its coordinates mean nothing."""
    if not takes_condition(subject.built):
        skip("it takes no condition")
    images, condition = inputs_of(subject)
    absent = ~(condition[..., 2] > 0)
    zeroed = condition.masked_fill(absent[..., None], 0.0)
    placed = zeroed.clone()
    placed[absent] = condition.new_tensor([5.0, 7.0, -1.0])
    expected = run(subject.built, (images, zeroed))
    for other in (placed, condition.clone()):
        apart, place = difference(expected, run(subject.built, (images, other)))
        if apart:
            fail(
                f"gives another {place} where a keypoint without a score lies elsewhere, or is NaN",
                "that a keypoint with a score of 0 or less leaves nothing",
                "Take condition[..., 2] > 0 as a mask, before anything is computed with x and y",
            )
    empty = run(subject.built, (images, torch.zeros_like(condition)))
    if not all(bool(m.isfinite().all()) for m in empty):
        fail(
            "gives NaN or infinite values for a condition without any keypoint",
            "finite ones",
            "Divide by what cannot be 0: x / total.clamp(min=1e-6)",
        )
    return "wherever they lie, and none at all"


CHECKS = (
    *MAP_CHECKS,
    *MODULE_CHECKS,
    bfloat16,
    looks_at_its_condition,
    unknown_keypoints_leave_nothing,
)
