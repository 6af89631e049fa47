"""Frames that are worth labelling, and how they come into the project."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dlcreg import DataError, ProjectError, Recording
from dlcreg.analysis.outliers import jumps, novel, spread, uncertainty
from dlcreg.analysis.writers.h5 import H5Writer
from dlcreg.apis.outliers import outliers
from dlcreg.data import Project
from dlcreg.data.demo import generate
from dlcreg.data.video import open_video
from dlcreg.recording import VideoInfo
from dlcreg.structures import DatasetInfo


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A project with a video, and poses of its frames."""
    root = generate(tmp_path_factory.mktemp("outliers") / "project", frames=6, size=(64, 96))
    video = next((root / "videos").iterdir())
    with open_video(video) as reader:
        count = sum(1 for _ in reader.frames())
    names = Project(root).bodyparts
    rng = np.random.default_rng(0)
    keypoints = (20 + rng.normal(0, 0.1, (count, 1, len(names), 2))).astype(np.float32)
    scores = np.full(keypoints.shape[:3], 0.9, np.float32)
    recording = Recording(keypoints, scores, scores.mean(axis=2), DatasetInfo(names), scorer="net")
    return root, video, recording


@pytest.fixture
def case(generated, tmp_path):
    root, video, recording = generated
    shutil.copytree(root, tmp_path / "project")
    video = shutil.copy(video, tmp_path / "other.mp4")  # one that the project does not know
    result = tmp_path / "result.h5"

    def written(**changes):
        values = {name: getattr(recording, name).copy() for name in ("keypoints", "scores")}
        for (name, where), value in changes.pop("at", {}).items():
            values[name][where] = value
        H5Writer().write(Recording(**{**vars(recording), **values, **changes}), result)
        return result

    return tmp_path / "project", video, written, recording


def _config(project):
    return yaml.safe_load((project / "config.yaml").read_text())


def test_uncertain_frames_come_into_the_project_as_deeplabcut_has_them(case):
    project, video, written, recording = case
    last = len(recording) - 1
    result = written(at={("scores", 3): 0.1, ("scores", last): 0.2})
    before = (project / "config.yaml").read_text()
    found = outliers(result, project, video, count=2, gap=1)
    assert found.frames == [3, last]
    width = len(str(len(recording) - 1))
    names = [f"img{frame:0{width}d}.png" for frame in (3, last)]
    assert sorted(path.name for path in found.folder.glob("*.png")) == names
    with open_video(video) as reader:
        frame = next(reader.frames(3))
    assert np.array_equal(Image.open(found.folder / names[0]), frame.image)
    table = pd.read_hdf(found.table)
    assert found.table.name == "machinelabels-iter0.h5"
    assert list(table.index) == [("labeled-data", "other", name) for name in names]
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    assert np.allclose(table.to_numpy()[0, 2::3], 0.1)
    assert (found.folder / "machinelabels.csv").is_file()
    assert _config(project)["video_sets"][str(video.resolve())] == {"crop": "0, 96, 0, 64"}
    assert before.splitlines()[0] in (project / "config.yaml").read_text()
    assert len(Project(project).images) == 6  # labels are as they were


def test_what_is_there_is_left_and_more_is_added(case):
    project, video, written, _ = case
    result = written(at={("scores", frame): 0.1 for frame in (3, 4, 5)})
    first = outliers(result, project, video, count=1, gap=1)
    marks = {path: path.stat().st_mtime_ns for path in first.folder.glob("*.png")}
    second = outliers(result, project, video, count=5, gap=1)
    assert not set(first.frames) & set(second.frames)
    assert all(path.stat().st_mtime_ns == mark for path, mark in marks.items())
    rows = {int(name[3:-4]) for *_, name in pd.read_hdf(second.table).index}
    assert rows == {*first.frames, *second.frames}
    again = outliers(result, project, video, count=5, gap=1)
    assert again.frames == []


def test_jumps_and_novel_poses_are_found(case):
    project, video, written, recording = case
    result = written(at={("keypoints", (4, 0, 0)): 60.0})
    jumped = outliers(result, project, video, method="jump", gap=1).frames
    assert jumped == [4, 5]
    assert novel(recording, np.empty((0, 6, 2)), 3, 1)
    result = written(at={("keypoints", (9, 0, 0)): 60.0})
    assert outliers(result, project, video, method="novel", count=1, gap=1).frames == [9]


def test_of_a_video_that_was_analysed_in_part_that_part_is_looked_at(case):
    project, video, written, recording = case
    first, stop = 2, 8
    part = {
        name: getattr(recording, name)[:stop].copy()
        for name in ("keypoints", "scores", "instance_scores")
    }
    part["keypoints"][:first], part["scores"][:first], part["scores"][5] = np.nan, 0, 0.1
    readable = np.arange(stop) >= first
    result = written(**part, readable=readable, provenance={"frames": [first, stop]})
    found = outliers(result, project, video)
    assert found.frames == [5]
    width = len(str(len(recording) - 1))  # names are those of the whole video
    assert [path.name for path in found.folder.glob("*.png")] == [f"img{5:0{width}d}.png"]


def test_faults_are_told_before_anything_is_written(case):
    project, video, written, recording = case
    result = written(
        at={("scores", 3): 0.1},
        info=DatasetInfo(tuple(f"p{i}" for i in range(recording.info.num_keypoints))),
    )
    before = sorted(project.rglob("*"))
    with pytest.raises(ProjectError, match="other keypoints than the project"):
        outliers(result, project, video)
    longer = Recording(**{**vars(recording), **_twice(recording)})
    H5Writer().write(longer, result)
    with pytest.raises(DataError, match="do not belong together"):
        outliers(result, project, video)
    analysed = VideoInfo(Path("mouse.mp4"), (64, 96), 10.0, 10 * len(recording))
    for other, said in ((analysed, "which has"), (replace(analysed, size=(9, 9)), "frames are 9")):
        part = written(
            at={("scores", 3): 0.1}, video=other, provenance={"frames": [0, len(recording)]}
        )
        with pytest.raises(
            DataError, match=rf"is of mouse\.mp4, .*{said}.* do not belong together"
        ):
            outliers(part, project, video)
    with pytest.raises(ValueError, match="method must be one of"):
        outliers(result, project, video, method="odd")
    assert sorted(project.rglob("*")) == before


def test_a_config_that_nothing_can_be_added_to_is_left(case):
    project, video, written, _ = case
    config = {key: value for key, value in _config(project).items() if key != "video_sets"}
    text = "video_sets: {arena1.mp4: {}, arena2.mp4: {}}\n" + yaml.safe_dump(config)
    (project / "config.yaml").write_text(text)
    result = written(at={("scores", 3): 0.1})
    with pytest.raises(ProjectError, match="could not be added to video_sets"):
        outliers(result, project, video, gap=1)
    assert (project / "config.yaml").read_text() == text
    assert not (project / "labeled-data" / "other").exists()


def _twice(recording):
    names = ("keypoints", "scores", "instance_scores")
    return {name: np.concatenate([getattr(recording, name)] * 3) for name in names}


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.integers(1, 10),
    st.integers(1, 9),
    st.sets(st.integers(0, 39), max_size=5),
)
def test_chosen_frames_are_apart_and_none_is_better(scores, count, gap, taken):
    scores = np.array(scores)
    taken = {frame for frame in taken if frame < len(scores)}
    chosen = spread(scores, count, gap, taken)
    every = sorted([*chosen, *taken])
    assert len(chosen) <= count
    assert all(abs(a - b) >= gap for a in chosen for b in every if a != b), (
        "frames are too near to one another"
    )
    if len(chosen) < count:
        left = [f for f in range(len(scores)) if all(abs(f - e) >= gap for e in every)]
        assert all(scores[f] <= 0 for f in left)


def test_measures_know_of_what_is_missing():
    keypoints = np.zeros((3, 2, 1, 2), np.float32)
    keypoints[:, 1] = 50
    keypoints[1, 0] = 50
    keypoints[1, 1] = 0  # the two change places
    keypoints[2, 0] = np.nan
    scores = np.full((3, 2, 1), 0.8, np.float32)
    info = DatasetInfo(("a",), num_individuals=2)
    recording = Recording(keypoints, scores, scores[..., 0], info)
    assert np.allclose(jumps(recording), [0, 0, 0])
    recording.tracked = True
    assert np.allclose(jumps(recording), [0, 50 * 2**0.5, 50 * 2**0.5])
    assert np.allclose(uncertainty(recording), [0, 0, 0.3])
    recording.readable = np.array([True, True, False])
    assert np.allclose(uncertainty(recording), 0)
