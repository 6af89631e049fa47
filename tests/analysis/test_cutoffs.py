"""A cut-off above all likelihoods is told, and what was not looked at is no likelihood of 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recordings import recording

from dlcreg.analysis.cutoffs import warn_of_cutoff
from dlcreg.analysis.plots import _likelihood, _times


def test_a_cut_off_that_no_point_reaches_is_told_with_one_that_most_do(caplog):
    poses = recording(unique=0)
    poses.scores[:] = np.linspace(0.16, 0.58, poses.scores.size).reshape(poses.scores.shape)
    poses.keypoints[:] = 5
    warn_of_cutoff(poses, 0.58)
    assert not caplog.messages
    warn_of_cutoff(poses, 0.6)
    assert caplog.messages == ["no point reaches 0.6, the highest is 0.58: try --pcutoff 0.2"]
    caplog.clear()
    poses.keypoints[:] = np.nan
    warn_of_cutoff(poses, 0.6)
    assert not caplog.messages  # nothing was found, whatever the cut-off


def test_of_unique_parts_the_likelihood_counts_too(caplog):
    poses = recording()
    poses.scores[:] = 0
    poses.unique[..., :2], poses.unique[..., 2] = 9, 0.7
    warn_of_cutoff(poses, 0.6)
    assert not caplog.messages


@pytest.mark.parametrize("frames", [6, 9000])
def test_frames_that_nobody_looked_at_are_blank(frames):
    scores = np.full((frames, 2), 0.5, np.float32)
    scores[: frames // 2] = np.nan
    figure = _likelihood(np.arange(frames), "frame", scores, ("a", "b"), 0.6)
    shown = figure.axes[0].images[0].get_array()
    half = shown.shape[1] // 2
    assert shown.mask[:, :half].all()
    assert not shown.mask[:, half + 1 :].any()
    assert np.allclose(shown.compressed(), 0.5)


def test_times_that_stand_still_are_none():
    poses = recording()
    assert _times(poses)[1] == "time, seconds"
    still = replace(poses, times=np.zeros(len(poses)))
    times, name = _times(still)
    assert name == "frame"
    assert times.tolist() == list(range(len(poses)))
