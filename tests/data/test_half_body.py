"""Crops of half an animal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg.data.transforms import Pipeline
from dlcreg.data.transforms.geometric import CropInstance
from dlcreg.data.transforms.half_body import HalfBody
from dlcreg.errors import DataError
from dlcreg.structures import Instances, Meta, Sample

UPPER, LOWER = (0, 1, 2, 3, 4, 5), (6, 7, 8, 9)


def animal(visibility=(2,) * 10) -> Sample:
    """Ten keypoints: the upper ones at the top of a tall image, the lower ones at its bottom."""
    rng = np.random.default_rng(0)
    keypoints = rng.uniform([20, 10], [80, 60], (1, 10, 2)).astype(np.float32)
    keypoints[0, 6:, 1] += 120
    known = np.array([visibility], np.uint8)
    keypoints[known == 0] = 0
    instances = Instances(
        keypoints=keypoints,
        visibility=known,
        boxes=np.array([[10, 0, 80, 190]], np.float32),
        areas=np.array([80 * 190], np.float32),
        valid=np.ones(1, bool),
        ids=np.zeros(1, np.int64),
    )
    image = np.zeros((200, 100, 3), np.uint8)
    return Sample(image, instances, np.eye(2, 3), Meta(0, "made", (200, 100)))


def box(transform: HalfBody, sample: Sample, seed: int = 0) -> np.ndarray:
    return transform(sample, np.random.default_rng(seed)).instances.boxes[0]


@pytest.mark.parametrize(("p_upper", "half"), [(1.0, UPPER), (0.0, LOWER)])
def test_the_box_is_that_of_the_half_enlarged_about_its_middle(p_upper, half):
    sample = animal()
    found = box(HalfBody(UPPER, LOWER, p=1, p_upper=p_upper, padding=1.5), sample)
    points = sample.instances.keypoints[0, list(half)]
    low, high = points.min(axis=0), points.max(axis=0)
    assert found[2:] == pytest.approx(1.5 * (high - low), abs=1e-4)
    assert found[:2] + found[2:] / 2 == pytest.approx((low + high) / 2, abs=1e-4)


def test_the_crop_after_it_shows_that_half_alone():
    steps = [HalfBody(UPPER, LOWER, p=1, p_upper=1.0), CropInstance((64, 64))]
    after = Pipeline(steps)(animal(), np.random.default_rng(0))
    inside = ((after.instances.keypoints[0] >= 0) & (after.instances.keypoints[0] < 64)).all(-1)
    assert inside.tolist() == [True] * 6 + [False] * 4
    assert (after.instances.visibility == 2).all()


@pytest.mark.parametrize(
    ("visibility", "half"),
    [
        ([2] * 6 + [2, 2, 0, 0], "upper"),  # too few lower ones
        ([2, 0, 0, 0, 0, 0] + [2] * 4, "lower"),  # too few upper ones
        ([2, 0, 0, 0, 0, 0, 2, 2, 0, 0], "none"),
    ],
)
@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_a_half_needs_enough_labels(visibility, half, seed):
    sample = animal(visibility)
    found = box(HalfBody(UPPER, LOWER, p=1, min_keypoints=1), sample, seed)
    middle = found[1] + found[3] / 2
    whole = np.array_equal(found, sample.instances.boxes[0])
    assert {"upper": middle < 70, "lower": middle > 120, "none": whole}[half]


def test_an_animal_with_few_labels_stays_whole():
    sample = animal([2] * 8 + [0, 0])
    assert box(HalfBody(UPPER, LOWER, p=1), sample).tolist() == sample.instances.boxes[0].tolist()


def test_it_happens_as_often_as_it_is_told():
    sample = animal()
    tries = [box(HalfBody(UPPER, LOWER), sample, seed) for seed in range(2000)]
    changed = [found for found in tries if found[3] < 190]
    upper = [found for found in changed if found[1] < 70]
    assert len(changed) / len(tries) == pytest.approx(0.3, abs=0.04)
    assert len(upper) / len(changed) == pytest.approx(0.7, abs=0.06)


def test_halves_may_be_named():
    names = [f"part{index}" for index in range(10)]
    transform = HalfBody(["part1", 0], ["part9"], keypoint_names=names)
    assert [half.tolist() for half in transform.halves] == [[1, 0], [9]]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        (dict(upper=["ear"]), DataError, "upper: there is no keypoint 'ear'. Did you mean 'eat'"),
        (dict(lower=[7]), DataError, "lower: there is no keypoint 7; there are 3"),
        (dict(lower=[]), ValueError, "upper and lower need at least one keypoint each"),
        (dict(lower=["nose"]), ValueError, "upper and lower share the keypoint 'nose'"),
        (dict(min_upper=0), ValueError, "min_upper and min_lower must be at least 1"),
        (dict(padding=0.0), ValueError, "padding must be positive, not 0"),
        (dict(p=2.0), ValueError, "p must lie between 0 and 1"),
    ],
)
def test_values_without_sense_are_refused(options, error, text):
    names = ("nose", "eat", "tail")
    with pytest.raises(error, match=text):
        HalfBody(**{"upper": [0], "lower": [2], **options}, keypoint_names=names)
