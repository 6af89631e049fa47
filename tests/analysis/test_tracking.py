"""Tracklets, stitching and whole recordings that are tracked."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg import DatasetInfo, Recording
from dlcreg.analysis.stitching import Costs, network_of, stitch
from dlcreg.analysis.track_metrics import score_tracks
from dlcreg.analysis.tracking import as_tracks, track
from dlcreg.analysis.tracklets import split_by_votes, tracklets_of, votes_of
from dlcreg.errors import ConfigError, DataError, PluginError

NAMES = ("nose", "left", "right", "tail")
INFO = DatasetInfo(NAMES, num_individuals=2, individuals=("a", "b"))
SHAPE = np.array([[0, -20], [-10, 0], [10, 0], [0, 20]], np.float32)


def recording(centres, info=INFO, **more):
    """Return animals of 20 x 40 pixels around centres ``(F, N, 2)``; NaN where there is none."""
    keypoints = np.asarray(centres, np.float32)[:, :, None] + SHAPE
    scores = np.isfinite(keypoints).all(axis=-1).astype(np.float32)
    return Recording(keypoints, scores, scores.max(axis=-1), info, **more)


def walks(frames=40, animals=2, seed=0):
    """Return animals that walk at random, 150 pixels apart."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 2, (frames, animals, 2)).cumsum(axis=0)
    return steps + np.stack([np.arange(animals) * 150, np.zeros(animals)], axis=-1)


def shuffled(centres, seed=0):
    """Return the rows of each frame in another order, and that order ``(F, N)``."""
    rng = np.random.default_rng(seed)
    order = np.stack([rng.permutation(centres.shape[1]) for _ in centres])
    return np.take_along_axis(centres, order[..., None], axis=1), order


def same_tracks(tracked, centres):
    scores = score_tracks(tracked, recording(centres), distance=1.0)
    return scores.switches == 0 and scores.idf1 == 1


@pytest.mark.parametrize("tracker", ["SortBox", "SortEllipse", "SortPose"])
def test_each_row_is_one_animal(tracker):
    truth = walks()
    centres, _ = shuffled(truth)
    tracked = track(recording(centres), tracker)
    assert tracked.tracked
    assert tracked.individuals == ("a", "b")
    assert same_tracks(tracked, truth)


def test_tracklets_on_both_sides_of_a_gap_are_one_animal():
    truth = walks()
    truth[15:25, 0] = np.nan
    truth[18:30, 1] = np.nan
    centres, _ = shuffled(truth)
    assert same_tracks(track(recording(centres)), truth)


def test_an_animal_that_was_away_for_long_may_come_back_anywhere():
    truth = walks(frames=400)
    truth[40:350, 0] = np.nan
    truth[350:, 0] += 1000
    assert same_tracks(track(recording(shuffled(truth)[0])), truth)


def test_what_is_found_too_much_is_left_out():
    truth = walks()
    more = np.concatenate([truth, np.full((40, 1, 2), np.nan)], axis=1)
    more[10:13, 2] = 700
    tracked = track(recording(shuffled(more)[0]))
    assert tracked.keypoints.shape[:2] == (40, 2)
    assert same_tracks(tracked, truth)


def test_frames_without_animals_and_unreadable_ones():
    truth = walks()
    truth[20:23] = np.nan
    readable = np.ones(40, bool)
    readable[20] = False
    tracked = track(recording(shuffled(truth)[0], readable=readable))
    assert same_tracks(tracked, truth)
    assert not tracked.valid[20:23].any()


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_videos_without_anything(frames):
    nothing = recording(np.full((frames, 2, 2), np.nan))
    tracked = track(nothing, num_animals=3)
    assert tracked.keypoints.shape == (frames, 3, 4, 2)
    assert not tracked.valid.any()
    assert (tracked.scores == 0).all()


def test_one_animal():
    truth = walks(animals=1)
    truth[5:9] = np.nan
    tracked = track(recording(truth), num_animals=1)
    assert same_tracks(tracked, truth)
    assert tracked.individuals == ("individual1",) or len(tracked.individuals) == 1


def test_all_that_belongs_to_a_pose_goes_with_it():
    truth = walks()
    centres, order = shuffled(truth)
    boxes = np.concatenate([centres - 20, np.full_like(centres, 40)], axis=-1).astype(np.float32)
    scores = np.zeros((40, 2, 4, 2), np.float32)
    np.put_along_axis(scores, order[..., None, None].repeat(4, 2), 0.9, axis=3)
    made = recording(centres, boxes=boxes, identity_scores=scores)
    tracked = track(made)
    np.testing.assert_allclose(tracked.boxes[..., :2] + 20, truth, rtol=1e-5)
    assert (tracked.identity_scores[:, 0, :, 0] > 0.8).all()
    assert (tracked.identity_scores[:, 1, :, 1] > 0.8).all()


def voting(centres, order, right=1.0, seed=0):
    """Return a recording whose poses know who they are in a share of frames."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(order.shape) >= right
    identities = np.where(wrong, 1 - order, order)
    return recording(centres, replace(INFO, identified=True), identities=identities)


def test_votes_give_animals_their_names():
    truth = walks()
    centres, order = shuffled(truth)
    tracked = track(voting(centres, order, right=0.7))
    assert tracked.individuals == ("a", "b")
    np.testing.assert_allclose(tracked.keypoints, recording(truth).keypoints)


def test_votes_tell_animals_that_change_places_unseen():
    truth = walks(frames=60)
    truth[25:35] = np.nan
    truth[35:] = truth[35:, ::-1]
    centres, order = shuffled(truth)
    motion = track(voting(centres, order), identities=False)
    assert not same_tracks(motion, truth)
    assert motion.individuals == ("individual1", "individual2")  # names would promise too much
    assert same_tracks(track(voting(centres, order, right=0.9)), truth)


def test_votes_split_a_tracklet_that_is_two_animals():
    numbers = np.zeros((40, 1), np.int64)
    votes = np.where(np.arange(40)[:, None, None] < 17, [0.9, 0.1], [0.2, 0.8])
    split = split_by_votes(numbers, votes)[:, 0]
    assert len(set(split[:17])) == len(set(split[17:])) == 1
    assert split[0] != split[17]
    np.testing.assert_array_equal(numbers, 0)


def test_a_few_wrong_votes_split_nothing():
    votes = np.tile([0.9, 0.1], (40, 1, 1))
    votes[10:14] = votes[10:14, :, ::-1]
    numbers = np.zeros((40, 1), np.int64)
    np.testing.assert_array_equal(split_by_votes(numbers, votes), numbers)


def test_fewer_animals_than_individuals_leave_rows_empty():
    truth = walks(animals=1)
    made = voting(truth, np.ones((40, 1), int))
    tracked = track(made, num_animals=1)
    assert tracked.individuals == ("a", "b")
    assert not tracked.valid[:, 0].any()
    assert tracked.valid[:, 1].all()


def test_animals_without_a_name_come_after_the_individuals():
    truth = walks(animals=3)
    centres, order = shuffled(truth)
    tracked = track(voting(centres, np.where(order == 2, -1, order)), num_animals=3)
    assert tracked.individuals == ("a", "b", "individual3")
    np.testing.assert_allclose(tracked.keypoints, recording(truth).keypoints)


def test_animals_that_a_model_follows_are_rows():
    """As `Predictor.track` numbers them, whatever rows a file kept of them."""
    truth = walks()
    truth[10:14, 0] = np.nan
    centres, order = shuffled(truth)
    identities = np.where(np.isnan(centres[..., 0]), -1, order)
    tracked = as_tracks(recording(centres, identities=identities))
    assert tracked.tracked
    assert tracked.individuals == ("individual1", "individual2")
    np.testing.assert_array_equal(tracked.keypoints, recording(truth).keypoints)
    assert as_tracks(tracked_with(tracked, -1), ("x", "y")).individuals == ("x", "y")
    with pytest.raises(DataError, match="does not say which animal"):
        as_tracks(tracked)


def tracked_with(made, identity):
    return replace(made, identities=np.full(made.scores.shape[:2], identity))


def test_votes_are_shares():
    scores = np.zeros((1, 3, 4, 2), np.float32)
    scores[0, 0, :, 0], scores[0, 1] = 0.6, 0.3
    scores[0, 0, :, 1] = 0.2
    votes = votes_of(recording(np.zeros((1, 3, 2)), identity_scores=scores))
    np.testing.assert_allclose(votes[0], [[0.75, 0.25], [0.5, 0.5], [0.5, 0.5]], atol=1e-6)
    assert votes_of(recording(np.zeros((1, 3, 2)))) is None


def test_gaps_are_filled_by_lines_of_likelihood_0():
    truth = np.zeros((20, 1, 2))
    truth[:, 0, 0] = np.arange(20)
    gappy = truth.copy()
    gappy[5:8] = np.nan
    gappy[12:18] = np.nan
    tracked = track(recording(gappy), num_animals=1, interpolate=3)
    np.testing.assert_allclose(tracked.keypoints[:12], recording(truth).keypoints[:12], atol=1e-5)
    assert (tracked.scores[5:8] == 0).all()
    assert not tracked.valid[12:18].any()  # too long
    assert not track(recording(gappy), num_animals=1).valid[5:8].any()


def test_a_gap_with_a_frame_that_could_not_be_read_is_not_filled():
    gappy = np.zeros((9, 1, 2))
    gappy[2:4], gappy[6] = np.nan, np.nan
    readable = np.arange(9) != 3
    tracked = track(recording(gappy, readable=readable), num_animals=1, interpolate=5)
    assert tracked.valid[:, 0].tolist() == [True, True, False, False, *[True] * 5]


def test_what_is_wrong_is_told():
    made = recording(walks())
    with pytest.raises(DataError, match="does not say who is who"):
        track(made, identities=True)
    with pytest.raises(ValueError, match="num_animals=0: give 1 or more"):
        track(made, num_animals=0)
    with pytest.raises(ValueError, match="interpolate=-1: give 0 or more"):
        track(made, interpolate=-1)
    with pytest.raises(ValueError, match="gap=-1: give 0 or more"):
        Costs(gap=-1)
    with pytest.raises((ConfigError, PluginError), match="SortPoses"):
        track(made, "SortPoses")
    with pytest.raises(ConfigError, match="threshold=7"):
        track(made, dict(type="SortPose", threshold=7))


def _cost(network, animals):
    """Return what a way to stitch costs; infinite if one animal were in two places."""
    linked = {tuple(pair): cost for pair, cost in zip(network.links.T, network.link_costs)}
    total = 0.0
    for animal in (0, 1):
        path = [i for i, one in enumerate(animals) if one == animal]
        if path:
            total += network.enter[path[0]] + network.leave[path[-1]] - network.reward[path].sum()
        for i, j in itertools.pairwise(path):
            if network.after[i] > j:
                return np.inf
            total += min(linked.get((i, j), np.inf), network.leave[i] + network.enter[j])
    return total


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_other_way_to_stitch_costs_less(seed):
    rng = np.random.default_rng(seed)
    numbers, centres = np.full((30, 3), -1), np.full((30, 3, 2), np.nan)
    for number in range(6):
        row, start = number % 3, int(rng.integers(0, 25))
        frames = np.arange(start, min(start + int(rng.integers(1, 10)), 30))
        frames = frames[numbers[frames, row] < 0]
        numbers[frames, row] = number
        centres[frames, row] = rng.uniform(0, 100, 2)
    tracklets, costs = tracklets_of(recording(centres), numbers), Costs()
    animals = stitch(tracklets, 2, costs)
    network = network_of(tracklets, 2, costs)
    ways = itertools.product((-1, 0, 1), repeat=len(tracklets))
    assert _cost(network, animals) == pytest.approx(min(_cost(network, way) for way in ways))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_poses_are_kept_or_left_out_and_never_made_up(seed, votes):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 120, (15, 3, 2))
    centres[rng.random((15, 3)) < 0.4] = np.nan
    identities = rng.integers(-1, 2, (15, 3)) if votes else None
    tracked = track(recording(centres, identities=identities), num_animals=2)
    assert tracked.keypoints.shape[:2] == (15, 2)
    for frame in range(15):
        given_poses = {tuple(one) for one in recording(centres).keypoints[frame, :, 0].tolist()}
        kept = [tuple(one) for one in tracked.keypoints[frame, tracked.valid[frame], 0].tolist()]
        assert len(set(kept)) == len(kept)
        assert set(kept) <= given_poses
