"""The box of an instance crop: jittered, without context, of any aspect."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcreg.data.transforms.boxes import JitterBox, MaskOutsideBox
from dlcreg.data.transforms.geometric import CropInstance
from dlcreg.data.transforms.pipeline import Pipeline
from dlcreg.structures import Instances, Meta, Sample

SIZES = [(256, 192), (192, 256), (96, 96)]


def sample(points, box, size=(200, 240)):
    """Return an image with a white disc of radius 3 on each labelled keypoint."""
    points = np.float32(points)
    image = np.full((*size, 3), 40, np.uint8)
    y, x = np.mgrid[: size[0], : size[1]]
    for px, py in points:
        image[(x - px) ** 2 + (y - py) ** 2 <= 9] = 255
    count = np.ones(1, bool)
    instances = Instances(
        points[None],
        np.full((1, len(points)), 2, np.uint8),
        np.float32([box]),
        np.float32([box[2] * box[3]]),
        count,
        np.zeros(1, np.int64),
    )
    return Sample(image, instances, np.eye(2, 3), Meta(1, "a.png", size))


boxes = st.tuples(
    *(st.integers(10, 80), st.integers(10, 80), st.integers(20, 120), st.integers(20, 100))
)


@given(boxes, st.sampled_from(SIZES), st.sampled_from(["sides", "corners", "udp"]))
def test_no_label_is_lost_in_a_crop_of_any_aspect_and_labels_and_pixels_agree(box, size, align):
    x, y, w, h = box
    corners = [[x + 4, y + 4], [x + w - 5, y + 4], [x + 4, y + h - 5], [x + w - 5, y + h - 5]]
    whole = sample(corners, box)
    crop = CropInstance(size, padding=1.0, align=align)(whole, np.random.default_rng(0))
    assert crop.image.shape[:2] == size
    points = crop.instances.keypoints[0]
    assert (points >= -0.5).all()
    assert (points <= np.array(size[::-1]) - 0.5).all()
    for px, py in np.rint(points).astype(int):
        assert crop.image[py, px].min() > 200
    back = points @ crop.matrix[:, :2].T + crop.matrix[:, 2]
    np.testing.assert_allclose(back, corners, atol=0.01)


@given(boxes, st.sampled_from(SIZES))
def test_without_context_nothing_outside_the_box_is_seen(box, size):
    x, y, w, h = box
    whole = sample([[x + w / 2, y + h / 2]], box)
    pipeline = Pipeline([MaskOutsideBox(), CropInstance(size, padding=1.0)])
    crop = pipeline(whole, np.random.default_rng(0))
    height, width = size
    v, u = np.mgrid[:height, :width]
    place = np.stack([u, v], -1) @ crop.matrix[:, :2].T + crop.matrix[:, 2]
    far = ((place < [x - 1.5, y - 1.5]) | (place > [x + w + 0.5, y + h + 0.5])).any(-1)
    near = ((place > [x + 1, y + 1]) & (place < [x + w - 2, y + h - 2])).all(-1)
    assert not crop.image[far].any()
    assert (crop.image[near] >= 40).all()
    assert whole.image.min() == 40  # the frame itself stays as it was


def test_a_sample_without_animals_is_left_alone():
    one = sample([[50, 50]], (40, 40, 20, 20))
    one.instances = Instances(
        *(
            getattr(one.instances, name)[:0]
            for name in ("keypoints", "visibility", "boxes", "areas", "valid", "ids")
        )
    )
    for transform in (JitterBox(), MaskOutsideBox()):
        assert transform(one, np.random.default_rng(0)) is one


def test_jittered_boxes_keep_their_aspect_and_stay_in_range():
    one = sample([[50, 50]], (40, 60, 20, 40))
    transform, rng = JitterBox(p_shift=0.5), np.random.default_rng(0)
    drawn = np.stack([transform(one, rng).instances.boxes[0] for _ in range(400)])
    scale = drawn[:, 2] / 20
    np.testing.assert_allclose(drawn[:, 3] / 40, scale, rtol=1e-5)
    assert 0.75 <= scale.min() < 0.77
    assert 1.23 < scale.max() <= 1.25
    shift = (drawn[:, :2] + drawn[:, 2:] / 2 - [50, 80]) / [20, 40]
    moved = np.abs(shift).max(axis=1) > 1e-5
    assert 0.4 < moved.mean() < 0.6
    assert 0.14 < np.abs(shift).max() <= 0.16 + 1e-5
    assert one.instances.boxes[0].tolist() == [40, 60, 20, 40]
    still = JitterBox(p_shift=0, p_scale=0)(one, rng).instances.boxes[0]
    np.testing.assert_allclose(still, [40, 60, 20, 40])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JitterBox(scale=(0, 1)), "scale must be positive"),
        (lambda: JitterBox(shift=(1, 0)), "shift runs backwards"),
        (lambda: JitterBox(p_shift=2), "p must lie between 0 and 1"),
        (lambda: MaskOutsideBox(fill=300), "fill must be a grey value from 0 to 255, not 300"),
    ],
)
def test_options_that_cannot_be_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
