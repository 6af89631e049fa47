"""Boxes made of keypoints anew."""

from __future__ import annotations

import numpy as np
import pytest

from dlcreg.data.transforms.keypoint_boxes import KeypointBoxes
from dlcreg.structures import Instances, Meta, Sample

RNG = np.random.default_rng(0)


def sample(points, visibility) -> Sample:
    points = np.array(points, np.float32)
    count = len(points)
    return Sample(
        np.zeros((50, 80, 3), np.uint8),
        Instances(
            keypoints=points,
            visibility=np.array(visibility, np.uint8),
            boxes=np.full((count, 4), 7, np.float32),
            areas=np.ones(count, np.float32),
            valid=np.ones(count, bool),
            ids=np.arange(count),
        ),
        np.eye(2, 3),
        Meta(0, "a.png", (50, 80)),
    )


def test_a_box_is_the_extent_of_what_is_labelled_within_the_image():
    seen = sample([[[20, 30], [40, 35], [90, 10], [1, 1]]], [[2, 1, 2, 0]])
    moved = KeypointBoxes(margin=5)(seen, RNG)
    assert moved.instances.boxes.tolist() == [[15, 25, 30, 15]]
    assert (seen.instances.boxes == 7).all()  # the sample that it was given is as it was


def test_an_animal_of_which_nothing_is_seen_keeps_its_box():
    seen = sample([[[20, 30]], [[-9, 3]]], [[2], [2]])
    boxes = KeypointBoxes(margin=0)(seen, RNG).instances.boxes
    assert boxes.tolist() == [[20, 30, 0, 0], [7, 7, 7, 7]]


def test_a_margin_below_nought_is_refused():
    with pytest.raises(ValueError, match="from 0 on"):
        KeypointBoxes(margin=-1)
