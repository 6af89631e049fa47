"""MOTA, IDF1 and switches of tracks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg import DatasetInfo, Recording
from dlcreg.analysis.track_metrics import score_matches, score_tracks
from dlcreg.errors import DataError

INFO = DatasetInfo(("nose", "left", "right", "tail"))
SHAPE = np.array([[0, -20], [-10, 0], [10, 0], [0, 20]], np.float32)


def recording(centres, info=INFO):
    """Return animals of 20 x 40 pixels around centres ``(F, N, 2)``; NaN where there is none."""
    keypoints = np.asarray(centres, np.float32)[:, :, None] + SHAPE
    scores = np.isfinite(keypoints).all(axis=-1).astype(np.float32)
    return Recording(keypoints, scores, scores.max(axis=-1), info, tracked=True)


@pytest.fixture
def apart():
    """Two animals in ten frames, 100 pixels from each other."""
    steps = np.arange(10.0)
    return np.stack([np.stack([steps, 0 * steps], -1), np.stack([steps, 0 * steps + 100], -1)], 1)


@pytest.mark.parametrize("limit", [{}, dict(distance=5.0)])
def test_the_reference_itself_is_perfect(apart, limit):
    scores = score_tracks(recording(apart), recording(apart), **limit)
    assert (scores.mota, scores.idf1, scores.switches, scores.fragments) == (1, 1, 0, 0)
    assert scores.matches == scores.objects == 20
    assert scores.motp == 0


@pytest.mark.parametrize("limit", [{}, dict(distance=5.0)])
def test_two_animals_that_are_confounded_are_two_switches(apart, limit):
    tracks = apart.copy()
    tracks[4:] = tracks[4:, ::-1]
    scores = score_tracks(recording(tracks), recording(apart), **limit)
    assert scores.switches == 2
    assert scores.mota == pytest.approx(1 - 2 / 20)
    assert scores.idf1 == pytest.approx(12 / 20)  # the longer part is right


def test_names_are_not_the_rows(apart):
    scores = score_tracks(recording(apart[:, ::-1]), recording(apart))
    assert (scores.idf1, scores.switches) == (1, 0)


def test_an_animal_that_is_lost_for_a_while_is_a_fragment(apart):
    tracks = apart.copy()
    tracks[3:5, 0] = np.nan
    scores = score_tracks(recording(tracks), recording(apart))
    assert (scores.fragments, scores.misses, scores.false_positives) == (1, 2, 0)
    assert scores.id_precision == 1
    assert scores.id_recall == pytest.approx(18 / 20)


def test_a_track_of_nothing_is_no_match(apart):
    tracks = np.concatenate([apart, apart[:, :1] + 300], axis=1)
    scores = score_tracks(recording(tracks), recording(apart))
    assert (scores.false_positives, scores.misses) == (10, 0)
    assert scores.mota == pytest.approx(0.5)


def test_nothing_found_and_nothing_to_find(apart):
    nothing = recording(np.full_like(apart, np.nan))
    assert score_tracks(nothing, recording(apart)).mota == 0
    scores = score_tracks(nothing, nothing)
    assert math.isnan(scores.mota)
    assert math.isnan(scores.idf1)


def test_keypoints_that_are_not_labelled_count_for_nothing(apart):
    reference, tracks = recording(apart), recording(apart)
    reference.keypoints[:, :, 2:] = np.nan
    tracks.keypoints[:, :, 2:] += 500
    assert score_tracks(tracks, reference, distance=5.0).mota == 1


def test_other_keypoints_or_frames_than_the_reference_are_told(apart):
    other = recording(apart, DatasetInfo(("a", "b", "c", "d")))
    with pytest.raises(DataError, match=r"the tracks have keypoints .*'a'.*, the reference .*nose"):
        score_tracks(other, recording(apart))
    with pytest.raises(DataError, match="the tracks have 9 frames, the reference 10"):
        score_tracks(recording(apart[:9]), recording(apart))
    with pytest.raises(ValueError, match="similarity=0: give a number above 0"):
        score_tracks(recording(apart), recording(apart), similarity=0)
    with pytest.raises(ValueError, match="distance=-1: give more than 0 pixels"):
        score_tracks(recording(apart), recording(apart), distance=-1)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 5), st.integers(1, 12))
def test_all_measures_are_those_of_motmetrics(seed, objects, tracks, frames):
    motmetrics = pytest.importorskip("motmetrics")
    rng = np.random.default_rng(seed)
    distances = rng.uniform(0, 1.4, (frames, objects, tracks))
    distances[distances > 1] = np.nan
    there, found = rng.random((frames, objects)) < 0.8, rng.random((frames, tracks)) < 0.8
    ours = score_matches(distances, there, found)

    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for one, rows, columns in zip(distances, there, found, strict=True):
        accumulator.update(
            np.flatnonzero(rows).tolist(), np.flatnonzero(columns).tolist(), one[rows][:, columns]
        )
    names = ["mota", "motp", "idf1", "idp", "idr", "num_switches", "num_fragmentations"]
    names += ["num_misses", "num_false_positives", "num_objects", "num_predictions"]
    table = motmetrics.metrics.create().compute(accumulator, metrics=names)
    theirs = table.iloc[0].to_dict()
    if ours.objects:
        assert ours.mota == pytest.approx(theirs["mota"])
        assert ours.idf1 == pytest.approx(theirs["idf1"])
    if ours.matches:
        assert ours.motp == pytest.approx(theirs["motp"])
        assert ours.id_precision == pytest.approx(theirs["idp"])
        assert ours.id_recall == pytest.approx(theirs["idr"])
    counts = [ours.switches, ours.fragments, ours.misses, ours.false_positives]
    counts += [ours.objects, ours.predictions]
    assert counts == [theirs[name] for name in names[5:]]
