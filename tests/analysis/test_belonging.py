"""A video is taken for that of a result only where it can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import plain, recording

from dlcreg.analysis.belonging import check_video, video_of
from dlcreg.analysis.encoding import encodable, write_video
from dlcreg.analysis.formats import build_writer
from dlcreg.cli import main
from dlcreg.errors import DataError
from dlcreg.recording import VideoInfo

RESULT = Path("clipDLC_X.h5")


def _info(size=(480, 640), frames=7):
    return VideoInfo(Path("copy.mp4"), size, 30.0, frames)


def test_size_and_number_of_frames_are_those_that_the_result_tells():
    poses = recording()
    check_video(poses, RESULT, _info())
    check_video(poses, RESULT, _info(frames=8))  # files tell numbers that are off by one
    check_video(poses, RESULT, _info(frames=None))
    with pytest.raises(DataError, match=r"clip\.mp4, whose frames are 640 x 480; .* 480 x 640"):
        check_video(poses, RESULT, _info(size=(640, 480)))
    for frames in (4, 20):
        with pytest.raises(DataError, match=rf"clip\.mp4, which has 7 frames; .* has {frames}:"):
            check_video(poses, RESULT, _info(frames=frames))


def test_a_video_that_was_analysed_in_part_has_all_its_frames():
    video = VideoInfo(Path("clip.mp4"), (480, 640), 30.0, 100)
    part = recording(video=video, provenance={"frames": [3, 7]})
    check_video(part, RESULT, _info(frames=100), whole=True)
    with pytest.raises(DataError, match="which has 100 frames"):
        check_video(part, RESULT, _info(frames=7))


def test_of_a_result_that_says_nothing_rows_are_counted():
    poses = plain(recording())
    check_video(poses, RESULT, _info(size=(9, 9), frames=70))
    with pytest.raises(DataError, match=r"has 7 frames and copy\.mp4 4"):
        check_video(poses, RESULT, _info(frames=4))
    with pytest.raises(DataError, match=r"has 7 frames and copy\.mp4 70"):
        check_video(poses, RESULT, _info(frames=70), whole=True)
    check_video(replace(poses, provenance={"frames": [0, 7]}), RESULT, _info(frames=70), whole=True)


@pytest.fixture
def case(tmp_path):
    """A result whose video is gone, a copy of that, and another video."""
    for name, height, count in (("copy", 48, 7), ("other", 64, 7), ("longer", 48, 12)):
        frame = encodable(np.full((height, 64, 3), 120, np.uint8))
        times = [(frame, t / 10) for t in range(count)]
        write_video(tmp_path / f"{name}.mp4", times, 10)
    poses = recording(unique=0, video=VideoInfo(Path("clip.mp4"), (48, 64), 10.0, 7))
    build_writer("h5").write(poses, tmp_path / "clipDLC_X.h5")
    return tmp_path, poses


@pytest.mark.parametrize("name", ["other", "longer"])
@pytest.mark.parametrize("command", ["plot", "report", "label-video"])
def test_commands_refuse_another_video_and_write_nothing(case, command, name, capsys):
    folder, _ = case
    video, result = str(folder / f"{name}.mp4"), str(folder / "clipDLC_X.h5")
    before = sorted(folder.rglob("*"))
    given = [video, "--result", result] if command == "label-video" else [result, "--video", video]
    assert main([command, *given]) == 2
    assert "they do not belong together" in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before


def test_another_video_of_the_same_name_is_passed_over(case, caplog):
    folder, poses = case
    result = folder / "clipDLC_X.h5"
    assert video_of(result, poses) is None
    assert video_of(result, poses, folder / "copy.mp4") == folder / "copy.mp4"
    (folder / "other.mp4").rename(folder / "clip.mp4")
    assert video_of(result, poses) is None
    assert "they do not belong together" in caplog.text
    elsewhere = replace(poses.video, path=folder / "copy.mp4")
    assert video_of(result, replace(poses, video=elsewhere)) == folder / "copy.mp4"
