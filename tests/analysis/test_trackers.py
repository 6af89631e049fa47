"""SORT with boxes, ellipses and poses."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dlcreg import DatasetInfo, Poses
from dlcreg.analysis.trackers.box import SortBox
from dlcreg.analysis.trackers.ellipse import SortEllipse
from dlcreg.analysis.trackers.kalman import ConstantVelocity
from dlcreg.analysis.trackers.pose import SortPose
from dlcreg.analysis.trackers.shapes import box_overlap, ellipse_similarity, ellipses

INFO = DatasetInfo(("nose", "left", "right", "tail"))
SHAPE = np.array([[0, -20], [-10, 0], [10, 0], [0, 20]], np.float32)
TRACKERS = (SortBox, SortEllipse, SortPose)
every_tracker = pytest.mark.parametrize("tracker", TRACKERS)


def poses_at(*centres, keep=None):
    """Return animals of 20 x 40 pixels; `keep` says which keypoints are found, ``(N, K)``."""
    keypoints = np.asarray(centres, np.float32).reshape(-1, 1, 2) + SHAPE
    if keep is not None:
        keypoints[~np.asarray(keep, bool)] = np.nan
    return poses_of(keypoints)


def poses_of(keypoints):
    found = torch.from_numpy(keypoints).isfinite().all(dim=-1)
    scores = found.float()
    return Poses(
        torch.from_numpy(keypoints)[None], scores[None], scores.mean(-1)[None], found.any(-1)[None]
    )


def numbers_of(tracker, frames, first=0):
    """Return the numbers of the animals of each frame."""
    return [
        tracker.update(poses, frame).identities[0].tolist()
        for frame, poses in enumerate(frames, first)
    ]


def followed(cls, frames, **options):
    tracker = cls(**options)
    tracker.reset(INFO)
    return numbers_of(tracker, frames)


@every_tracker
def test_animals_keep_their_numbers_whatever_row_they_are_in(tracker):
    centres = [[(100 - 3 * t, 200), (3 * t, 0)] for t in range(8)]
    frames = [poses_at(*(one[::-1] if t % 2 else one)) for t, one in enumerate(centres)]
    numbers = followed(tracker, frames)
    assert numbers == [[1, 0] if t % 2 else [0, 1] for t in range(8)]


@every_tracker
def test_an_animal_is_found_again_within_max_age_and_is_another_after_it(tracker):
    still, nothing = poses_at((50, 50)), poses_at()
    short, long = [still, *[nothing] * 2, still], [still, *[nothing] * 3, still]
    assert followed(tracker, short, max_age=2)[-1] == [0]
    assert followed(tracker, long, max_age=2)[-1] == [1]


@every_tracker
def test_frames_that_are_left_out_count_for_the_age(tracker):
    made = tracker(max_age=2)
    made.reset(INFO)
    numbers = [made.update(poses_at((50, 50)), frame).identities.item() for frame in (0, 3, 7)]
    assert numbers == [0, 0, 1]


@every_tracker
def test_an_animal_that_moves_is_met_where_it_is_going(tracker):
    frames = [poses_at((8 * t, 0)) for t in range(12)]
    frames += [poses_at()] * 2 + [poses_at((8 * t, 0)) for t in range(14, 16)]
    assert followed(tracker, frames, max_age=2)[-1] == [0]


@every_tracker
def test_a_new_animal_has_no_number_until_it_was_found_often_enough(tracker):
    frames = [poses_at((10, 10))] * 4
    assert followed(tracker, frames, min_hits=3) == [[-1], [-1], [0], [0]]


@every_tracker
def test_keypoints_below_the_least_score_are_not_looked_at(tracker):
    poses = poses_at((10, 10), (90, 90))
    poses.scores[0, 1] = 0.05
    assert followed(tracker, [poses], min_score=0.1) == [[0, -1]]


@every_tracker
def test_where_two_may_be_either_both_get_new_numbers(tracker):
    meeting = [poses_at((0, 0), (20, 0))] * 3 + [poses_at((9.5, 0), (10.5, 0))]
    options = dict(threshold=0.01)
    assert followed(tracker, meeting, margin=0.0, **options)[-1] in ([0, 1], [1, 0])
    assert set(followed(tracker, meeting, margin=0.2, **options)[-1]) == {2, 3}


@every_tracker
def test_after_reset_nothing_is_left(tracker):
    made = tracker()
    made.reset(INFO)
    first = numbers_of(made, [poses_at((10, 10), (90, 90))] * 2)
    made.reset(INFO)
    assert numbers_of(made, [poses_at((10, 10), (90, 90))] * 2) == first


@every_tracker
def test_a_frame_out_of_order_is_told(tracker):
    made = tracker()
    made.reset(INFO)
    made.update(poses_at((10, 10)), 5)
    with pytest.raises(ValueError, match="frame 5 comes after frame 5: give them in order"):
        made.update(poses_at((10, 10)), 5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(threshold=1.5), "threshold=1.5: give a number from 0 to 1"),
        (dict(margin=-0.1), "margin=-0.1: give a number from 0 to 1"),
        (dict(max_age=-1), "max_age=-1: give 0 or more"),
        (dict(min_hits=0), "min_hits=0: give 1 or more"),
        (dict(min_size=0), "min_size=0: give more than 0 pixels"),
    ],
)
def test_numbers_out_of_range_are_told(wrong, message):
    with pytest.raises(ValueError, match=message):
        SortPose(**wrong)


def test_boxes_that_a_model_finds_are_used():
    poses = poses_at((10, 10), (14, 10))
    poses.boxes = torch.tensor([[[0.0, 0, 20, 20], [500, 500, 20, 20]]])
    turned = copy.deepcopy(poses)
    turned.boxes = poses.boxes.flip(1)
    assert followed(SortBox, [poses, turned]) == [[0, 1], [1, 0]]


def test_a_keypoint_that_is_not_found_moves_with_the_others():
    frames = [poses_at((0, 0), (300, 0))] * 2
    frames += [poses_at((5 * t, 0), (300, 0), keep=[[1, 1, 0, 0], [1] * 4]) for t in range(1, 30)]
    frames += [poses_at((150, 0), (300, 0), keep=[[0, 0, 1, 1], [1] * 4])]
    assert followed(SortPose, frames)[-1] == [0, 1]


def test_an_ellipse_knows_which_way_an_animal_lies():
    along = SHAPE[None] * [1, 3] + 100.0
    across = along[..., ::-1]
    one, other = ellipses(along, 1.0), ellipses(across, 1.0)
    assert ellipse_similarity(one, one) == pytest.approx(1, abs=1e-6)
    assert ellipse_similarity(one, other).item() < 0.6


@settings(max_examples=20, deadline=None)
@given(arrays.arrays(np.float64, (3, 5, 2), elements=st.floats(-1e3, 1e3)))
def test_an_ellipse_is_the_root_of_the_covariance(keypoints):
    states = ellipses(keypoints, 2.0)
    for state, points in zip(states, keypoints, strict=True):
        root = np.array([[state[2], state[4]], [state[4], state[3]]])
        covariance = np.cov(points.T, bias=True) + 0.25 * np.eye(2)
        np.testing.assert_allclose(root @ root, covariance, rtol=1e-6, atol=1e-6)
    similarity = ellipse_similarity(states, states)
    assert ((similarity >= 0) & (similarity <= 1)).all()
    np.testing.assert_allclose(similarity, similarity.T, atol=1e-9)
    np.testing.assert_allclose(np.diagonal(similarity), 1, atol=1e-3)


def test_overlap_of_boxes():
    boxes = np.array([[5.0, 5, 10, 10], [10, 5, 10, 10], [50, 50, 10, 10], [5, 5, -4, 10]])
    overlap = box_overlap(boxes[:1], boxes)[0]
    np.testing.assert_allclose(overlap, [1, 1 / 3, 0, 0])


def test_the_filter_is_the_textbook_one():
    """A state of position and velocity with full matrices, for each coordinate."""
    rng = np.random.default_rng(0)
    motion, size = ConstantVelocity(3), np.array([40.0])
    measured = rng.normal(0, 10, (6, 1, 3)).cumsum(axis=0)
    motion.add(measured[0], size)
    state = np.stack([measured[0, 0], np.zeros(3)])
    covariance = np.diag([(40 / 10) ** 2, (40 / 16) ** 2])
    step, noise = np.array([[1, 1], [0, 1.0]]), np.diag([2.0**2, 0.25**2])
    look = np.array([[1.0, 0]])
    for one in measured[1:]:
        motion.predict()
        state, covariance = step @ state, step @ covariance @ step.T + noise
        np.testing.assert_allclose(motion.position[0], state[0])
        motion.update(np.array([0]), one, size)
        gain = covariance @ look.T / (look @ covariance @ look.T + 2.0**2)
        state = state + gain @ (one - look @ state)
        covariance = (np.eye(2) - gain @ look) @ covariance
        np.testing.assert_allclose(motion.position[0], state[0])
        np.testing.assert_allclose(motion.velocity[0], state[1])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(TRACKERS), st.sampled_from([0.0, 0.1]))
def test_whatever_is_found_numbers_are_once_in_a_frame_and_nothing_else_changes(seed, cls, margin):
    rng = np.random.default_rng(seed)
    tracker = cls(margin=margin, max_age=int(rng.integers(0, 3)))
    count = int(rng.integers(1, 5))
    tracker.reset(DatasetInfo(tuple(f"k{i}" for i in range(count))))
    highest = -1
    for frame in range(6):
        keypoints = rng.uniform(0, 60, (int(rng.integers(0, 5)), count, 2)).astype(np.float32)
        if len(keypoints) and rng.random() < 0.3:
            keypoints[:] = keypoints[0]  # all in one place
        keypoints[rng.random(keypoints.shape[:2]) < 0.4] = np.nan
        poses = poses_of(keypoints)
        kept = copy.deepcopy(poses)
        numbers = tracker.update(poses, frame).identities[0].numpy()
        assert poses.identities is None
        torch.testing.assert_close(poses.keypoints, kept.keypoints, equal_nan=True)
        valid = poses.valid[0].numpy()
        assert (numbers[~valid] == -1).all()
        assert (numbers[valid] >= 0).all()
        assert len(set(numbers[valid])) == valid.sum()
        new = numbers[numbers > highest]
        assert set(new) <= set(range(highest + 1, highest + 1 + valid.sum() + 1))
        highest = max(highest, numbers.max(initial=-1))
