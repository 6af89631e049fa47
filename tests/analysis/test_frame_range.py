"""The frames that are asked for are found, by number and by time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcreg.analysis.frame_range import FrameRange, frame_at
from dlcreg.contracts import Reader, VideoFrame
from dlcreg.errors import DataError
from dlcreg.recording import VideoInfo


class Times(Reader):
    """A video of which nothing but the times is known; counts how often it is looked into."""

    def __init__(self, times, fps=25.0):
        self.times, self.looks = list(times), 0
        self.info = VideoInfo(Path("clip.mp4"), (48, 64), fps)

    def frames(self, start=0):
        self.looks += 1
        for index in range(start, len(self.times)):
            yield VideoFrame(index, self.times[index])

    def close(self):
        pass


@given(
    steps=st.lists(st.floats(0.01, 3), max_size=60),
    seconds=st.floats(0, 100),
    fps=st.sampled_from([25.0, 1.0, float("nan")]),
)
def test_a_time_is_that_of_the_first_frame_shown_then_or_later(steps, seconds, fps):
    times = np.cumsum([0, *steps])
    found = frame_at(Times(times, fps), seconds)
    assert found == np.searchsorted(times, seconds - 1e-4)


def test_two_looks_are_enough_where_frames_follow_one_another_evenly():
    reader = Times(np.arange(5000) / 30, 30.0)
    assert frame_at(reader, 90.0) == 2700
    assert reader.looks == 2


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (None, None, (0, None)),
        (10, 20, (10, 20)),
        ("10", "20", (10, 20)),
        ("2s", "0:03.5", (50, 88)),
        ("0:00:01", 30, (25, 30)),
        (None, "1:00:00", (0, 100)),
    ],
)
def test_moments_are_frames_or_times(start, stop, expected):
    assert FrameRange(start, stop).of(Times(np.arange(100) / 25)) == expected


@pytest.mark.parametrize(
    ("start", "stop", "message"),
    [
        (-1, None, "start=-1: give the number of a frame, or a time"),
        (True, None, "start=True"),
        ("soon", None, "start='soon'"),
        ("2.5", None, "give a whole frame, or a time: '2.5s'"),
        (20, 20, "nothing lies between"),
        ("30s", "0:30", "nothing lies between"),
        (None, 0, "nothing lies between"),
        (5, "0s", "nothing lies between"),
    ],
)
def test_what_is_no_range_is_told_at_once(start, stop, message):
    with pytest.raises(ValueError, match=message):
        FrameRange(start, stop)


def test_a_range_is_held_against_the_video():
    with pytest.raises(DataError, match=r"from 60 \(frame 60\) to 2s \(frame 50\)"):
        FrameRange(60, "2s").of(Times(np.arange(100) / 25))
    with pytest.raises(DataError, match="does not say when"):
        FrameRange("1s").of(Times([np.nan] * 9))
