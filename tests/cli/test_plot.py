"""`dlcreg plot` draws figures with DeepLabCut's names, whatever the numbers are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcreg.analysis.encoding import encodable, write_video
from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.plots import plot_track, tracks_of
from dlcreg.apis.plot import _name_and_marks
from dlcreg.cli import main
from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo

FIGURES = ("hist", "plot", "plot-likelihood", "trajectory")


def _recording(frames, keypoints=2, rows=2) -> Recording:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 60, (frames, rows, keypoints, 2)).astype(np.float32)
    scores = rng.uniform(0, 1, (frames, rows, keypoints)).astype(np.float32)
    points[scores < 0.1], scores[scores < 0.1] = np.nan, 0
    names = tuple(f"keypoint {k}" for k in range(keypoints))
    who = tuple(f"animal{row}" for row in range(rows)) if rows > 1 else ()
    info = DatasetInfo(names, individuals=who)
    more = dict(tracked=rows > 1, individuals=who, scorer="DLC_X")
    return Recording(points, scores, scores.mean(axis=-1), info, **more)


def test_each_animal_has_four_figures(tmp_path, capsys):
    result = tmp_path / "clipDLC_X_el.h5"
    build_writer("h5").write(_recording(12), result)
    frame = encodable(np.full((48, 64, 3), 120, np.uint8))
    write_video(tmp_path / "clip.mp4", [(frame, t / 10) for t in range(12)], 10)
    assert main(["plot", str(result)]) == 0
    folder = tmp_path / "plot-poses/clip"
    names = [f"{name}_el-animal{row}.png" for name in FIGURES for row in (0, 1)]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert main(["plot", str(result), "--individual", "bert"]) == 2
    assert "there is animal0, animal1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stem", "video", "named"),
    [
        ("clipDLC_X_el", "clip.mp4", ("clip", "_el")),
        ("clipDLC_X_el", "copy.mp4", ("clip", "_el")),
        ("clipDLC_Y_el", None, ("clip", "_DLC_Y_el")),
        ("poses", "clip.mp4", ("poses", "")),
        ("clip-2", "clip.mp4", ("clip", "-2")),
    ],
)
def test_marks_are_told_apart_from_the_name_whatever_the_video_is_called(stem, video, named):
    assert _name_and_marks(stem, "DLC_X", Path(video) if video else None) == named


@pytest.mark.parametrize(("frames", "keypoints"), [(0, 1), (1, 1), (20_000, 4)])
def test_nothing_one_frame_and_very_many_are_drawn(tmp_path, frames, keypoints):
    recording = _recording(frames, keypoints, rows=1)
    (track,) = tracks_of(recording)
    for path in plot_track(tmp_path, "", track, recording):
        with Image.open(path) as picture:
            assert picture.size[0] > 400
    assert sorted(path.stem for path in tmp_path.iterdir()) == list(FIGURES)
