"""Filters take out jumps, fill short gaps and invent nothing else."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import medfilt

from dlcreg.analysis.filters import filtered
from dlcreg.errors import DataError, DlcregError
from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo


def _recording(x, scores=None, **more) -> Recording:
    """Return one keypoint of one animal, whose y is ten times its x."""
    points = np.stack([x, 10 * np.asarray(x)], axis=-1).astype(np.float32)[:, None, None]
    found = np.isfinite(points).all(axis=-1)
    scores = found * np.float32(0.9) if scores is None else np.asarray(scores)[:, None, None]
    scores = np.asarray(scores, np.float32)
    return Recording(points, scores, scores.mean(axis=-1), DatasetInfo(("a",)), **more)


def _x(recording: Recording) -> np.ndarray:
    return recording.keypoints[:, 0, 0, 0]


@settings(max_examples=30)
@given(arrays(np.float64, 30, elements=st.floats(-500, 500, width=32)))
def test_the_median_is_that_of_scipy_where_nothing_is_missing(x):
    found = _x(filtered(_recording(x), "median", 5))
    np.testing.assert_allclose(found[2:-2], medfilt(x, 5)[2:-2].astype(np.float32))


@pytest.mark.parametrize("method", ["median", "spline"])
@settings(max_examples=30)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 6))
def test_gaps_are_filled_if_they_are_short_and_between_finds(method, found, longest):
    x = np.where(found, np.arange(len(found)), np.nan)
    result = _x(filtered(_recording(x), method, 5, max_gap=longest))
    at = np.flatnonzero(found)
    expected = np.zeros(len(found), bool)
    expected[at] = True
    for before, after in pairwise(at):
        expected[before:after] |= after - before - 1 <= longest
    assert (np.isfinite(result) == expected).all()


def test_a_spline_follows_a_straight_way_over_a_gap():
    x = np.arange(40.0)
    x[20:24] = np.nan
    np.testing.assert_allclose(_x(filtered(_recording(x), "spline", 5)), np.arange(40), atol=1e-4)


@pytest.mark.parametrize("window", [5, 11])
def test_a_spline_lets_half_of_a_wave_through_whose_period_is_the_window(window):
    wave = np.sin(2 * np.pi * np.arange(40 * window) / window + 0.3)
    smoothed = _x(filtered(_recording(wave), "spline", window))[10 * window : -10 * window]
    assert smoothed.std() / wave.std() == pytest.approx(0.5, abs=0.01)


def test_unlikely_points_are_replaced_and_can_still_be_told():
    x, scores = np.arange(30.0), np.full(30, 0.9)
    x[10], scores[10] = 400, 0.2
    recording = _recording(x, scores)
    before = recording.keypoints.copy()
    result = filtered(recording, "median", 3, pcutoff=0.6)
    assert _x(result)[10] == pytest.approx(10)
    assert result.scores[10, 0, 0] == 0
    assert result.scores[9, 0, 0] == pytest.approx(0.9)
    assert (recording.keypoints == before).all()
    assert result.provenance["filter"]["method"] == "median"


def test_unique_body_parts_are_filtered_too():
    unique = np.full((9, 1, 3), 0.9, np.float32)
    unique[4, 0, 0] = 300
    result = filtered(_recording(np.zeros(9), unique=unique), "median", 3)
    np.testing.assert_allclose(result.unique, 0.9)


def test_arima_comes_nearer_to_the_truth_than_what_was_seen():
    pytest.importorskip("statsmodels")
    rng = np.random.default_rng(0)
    truth = 100 * np.sin(np.arange(80) / 15)
    seen = truth + rng.normal(0, 2, 80)
    seen[50:52] = np.nan
    result = _x(filtered(_recording(seen), "arima", ar=1))
    assert np.abs(result - truth).mean() < 0.8 * np.nanmean(np.abs(seen - truth))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(window=4), "window=4: give an odd number of frames from 3 on"),
        (dict(window=1), "window=1: give an odd number of frames from 3 on"),
        (dict(method="mean"), "method='mean': give median, spline or arima"),
        (dict(pcutoff=2), "pcutoff=2: a likelihood lies between 0 and 1"),
        (dict(max_gap=-1), "max_gap=-1: give 0 or more frames"),
        (dict(ar=-1), "ar=-1, ma=1: give orders of 0 or more"),
    ],
)
def test_wrong_arguments_are_told(options, words):
    with pytest.raises(DlcregError, match=words):
        filtered(_recording(np.arange(9.0)), **options)


def test_animals_that_are_not_tracked_are_not_filtered():
    points = np.zeros((5, 2, 1, 2), np.float32)
    scores = np.ones((5, 2, 1), np.float32)
    recording = Recording(points, scores, scores[..., 0], DatasetInfo(("a",)))
    with pytest.raises(DataError, match="Track them first"):
        filtered(recording)


def test_an_empty_recording_stays_empty():
    assert len(filtered(_recording(np.empty(0)))) == 0
