"""A crop follows an animal, and nothing of what is found depends on it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dots import SIZE, BandDots, crossing, drawn, saved
from hypothesis import given
from hypothesis import strategies as st

from dlcreg import DynamicCrop, Predictor
from dlcreg.errors import DataError
from dlcreg.inference.dynamic_crop import CropFollower
from dlcreg.inference.sources import Frame
from dlcreg.structures import Meta, Poses

CROP = DynamicCrop(margin=12)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("dots") / "model.pth", "BandDots")


def images(hidden=()):
    """One animal on its way; nobody in the frames that are hidden."""
    return [drawn([] if frame in hidden else crossing(frame)[:1]) for frame in range(16)]


def found(checkpoint, pictures, **options):
    """Return the keypoints of each frame, and how many pixels of it the model saw."""
    BandDots.seen.clear()
    predictor = Predictor(checkpoint, device="cpu", batch_size=2, **options)
    points = [poses.keypoints[0].numpy() for _, poses in predictor.stream(pictures)]
    return points, [height * width for height, width in BandDots.seen]


def test_a_crop_is_small_and_coordinates_are_those_of_the_frame(checkpoint):
    expected, _ = found(checkpoint, images())
    points, pixels = found(checkpoint, images(), dynamic_crop=CROP)
    np.testing.assert_allclose(np.stack(points), np.stack(expected), atol=1e-3)
    heads = np.array([crossing(frame)[0] for frame in range(16)])
    assert np.abs(np.stack(points)[:, 0] - heads).max() < 0.5
    assert pixels[-16] == SIZE[0] * SIZE[1]  # the models that were tried see images before
    assert max(pixels[-15:]) <= 96 * 96


def test_the_frame_after_one_without_the_animal_is_seen_whole(checkpoint):
    points, pixels = found(checkpoint, images(hidden={5, 6}), dynamic_crop=CROP)
    whole = [size == SIZE[0] * SIZE[1] for size in pixels[-16:]]
    assert np.flatnonzero(whole).tolist() == [0, 6, 7]
    assert [len(one) for one in points] == [1] * 5 + [0] * 2 + [1] * 9
    # two animals are asked for, and there is never more than one
    _, pixels = found(checkpoint, images(), dynamic_crop=DynamicCrop(animals=2))
    assert set(pixels[-16:]) == {SIZE[0] * SIZE[1]}


def test_a_follower_goes_on_where_another_one_was(checkpoint):
    predictor = Predictor(checkpoint, device="cpu", batch_size=1, dynamic_crop=CROP)
    frames = [
        Frame(Meta(i, "", SIZE, index=i), image=None if i in (4, 5) else image)
        for i, image in enumerate(images(hidden={9}))
    ]
    whole = [poses.keypoints for _, poses in CropFollower(predictor, CROP).on_frames(frames)]
    for cut in range(len(frames)):
        first, second = CropFollower(predictor, CROP), CropFollower(predictor, CROP)
        parts = [poses.keypoints for _, poses in first.on_frames(frames[:cut])]
        second.restore(first.state())
        parts += [poses.keypoints for _, poses in second.on_frames(frames[cut:])]
        for one, other in zip(parts, whole, strict=True):
            np.testing.assert_array_equal(one, other)


def a_pose(points, scores):
    points, scores = torch.tensor(points)[None], torch.tensor(scores)[None]
    return Poses(points, scores, scores.mean(dim=-1), torch.ones(1, len(scores[0])).bool())


coordinates = st.floats(-50, 300, width=32)


@given(
    points=st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=5),
    margin=st.floats(0, 80),
    size=st.tuples(st.integers(1, 200), st.integers(1, 200)),
)
def test_a_window_holds_the_keypoints_that_lie_in_the_frame_and_their_margin(points, margin, size):
    poses = a_pose([points], [[0.9] + [0.1] * (len(points) - 1)])
    window = DynamicCrop(margin=margin).window(poses, size, 1)
    if window is None:
        return  # all of the frame, or nothing of it
    x1, x2, y1, y2 = window
    assert 0 <= x1 < x2 <= size[1]
    assert 0 <= y1 < y2 <= size[0]
    for x, y in points:
        for dx, dy in ((-margin, -margin), (margin, margin)):
            assert x1 <= np.clip(x + dx, 0, size[1] - 1) <= x2 - 1 + 1e-3
            assert y1 <= np.clip(y + dy, 0, size[0] - 1) <= y2 - 1 + 1e-3


def test_an_animal_is_there_by_one_likely_keypoint():
    poses = a_pose([[(80.0, 80.0), (300.0, 80.0)]], [[0.6, 0.2]])
    settings = DynamicCrop(threshold=0.6, margin=0)
    assert settings.window(poses, (480, 640), 1) == (64, 320, 64, 96)
    assert DynamicCrop(threshold=0.7).window(poses, (480, 640), 1) is None
    assert settings.window(poses, (480, 640), 2) is None


def test_where_a_crop_makes_no_sense_it_is_refused(checkpoint, tmp_path):
    crops = saved(tmp_path / "crops.pth", "BandDots", "instance")
    with pytest.raises(DataError, match="cut out for it already"):
        Predictor(crops, lambda image, meta: [], dynamic_crop=CROP)
    resized = ["data.test.transform=[{'type': 'Resize', 'size': [64, 64]}]"]
    with pytest.raises(DataError, match="make all images alike in size"):
        Predictor(checkpoint, dynamic_crop=CROP, options=resized)
    for options, message in (
        ({"threshold": 2}, "threshold=2"),
        ({"margin": -1}, "margin=-1"),
        ({"animals": 0}, "animals=0"),
    ):
        with pytest.raises(ValueError, match=message):
            DynamicCrop(**options)
