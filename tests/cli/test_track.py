"""`dlcreg track` writes tracks as DeepLabCut names them, and scores them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.reading import read_recording
from dlcreg.cli import main
from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo

INFO = DatasetInfo(("nose", "tail"), num_individuals=2, individuals=("anna", "bob"))


@pytest.fixture
def truth(tmp_path):
    """Two animals that stand 200 pixels apart, as a file of tracks."""
    points = np.zeros((12, 2, 2, 2), np.float32)
    points[:, 1] += 200
    points[:, :, 1] += 40
    scores = np.ones((12, 2, 2), np.float32)
    names = INFO.individuals
    made = Recording(points, scores, scores[..., 0], INFO, tracked=True, individuals=names)
    path = tmp_path / "truth_tracks.h5"
    build_writer("h5").write(made, path)
    return path


@pytest.fixture
def result(truth):
    """The same poses in changing rows."""
    made = read_recording(truth)
    points = made.keypoints.copy()
    points[1::2] = points[1::2, ::-1]
    path = truth.with_name("clipDLC_X.h5")
    build_writer("h5").write(replace(made, keypoints=points, tracked=False), path)
    return path


@pytest.mark.parametrize(
    ("tracker", "mark"), [(None, "el"), ("sort-box", "bx"), ("sort-pose", "sk"), ("SortPose", "sk")]
)
def test_h5_and_csv_are_named_by_the_tracker(result, truth, capsys, tracker, mark):
    argv = ["track", str(result), *(["--tracker", tracker] if tracker else [])]
    assert main(argv) == 0
    files = [result.with_name(f"clipDLC_X_{mark}{suffix}") for suffix in (".h5", ".csv")]
    said = capsys.readouterr().out.splitlines()
    assert said == ["12 frames: anna in 12, bob in 12", *map(str, files)]
    for path in files:
        tracked = read_recording(path)
        assert tracked.tracked
        np.testing.assert_array_equal(tracked.keypoints, read_recording(truth).keypoints)
    facts = read_recording(files[0]).provenance["tracking"]
    assert facts["animals"] == 2


def test_tracks_are_scored_and_so_are_those_that_are_there(result, truth, capsys):
    assert main(["track", str(result), "--reference", str(truth), "--format", "h5"]) == 0
    said = capsys.readouterr().out.splitlines()
    scores = "MOTA 1.0000, IDF1 1.0000, ID precision 1.0000, ID recall 1.0000, 0 switches, "
    scores += "0 fragments, 0 missed, 0 false"
    assert said[1] == scores
    assert main(["track", said[2], "--reference", str(truth), "--distance", "5"]) == 0
    assert capsys.readouterr().out.splitlines() == ["12 frames: anna in 12, bob in 12", scores]


def test_of_a_video_that_was_analysed_in_part_that_part_is_scored(result, truth, capsys):
    whole, part = read_recording(result), result.with_name("partDLC_X.h5")
    keypoints, readable = whole.keypoints[:9].copy(), np.arange(9) >= 4
    keypoints[~readable] = np.nan
    some = replace(whole.part(0, 9), keypoints=keypoints, readable=readable)
    build_writer("h5").write(replace(some, provenance={"frames": [4, 9]}), part)
    assert read_recording(part).asked == (4, 9)
    assert main(["track", str(part), "--reference", str(truth), "--format", "h5"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "9 frames: anna in 5, bob in 5"
    assert "IDF1 1.0000" in said[1]
    assert "0 missed, 0 false" in said[1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--tracker", "sort-poses"], "sort-poses"),
        (["--animals", "0"], "num_animals=0: give 1 or more"),
        (["--identities"], "the recording does not say who is who"),
        (["--format", "hdf"], "hdf"),
        (["--distance", "-1", "--reference", "TRUTH"], "distance=-1: give more than 0 pixels"),
    ],
)
def test_what_is_wrong_is_one_message_and_nothing_is_written(result, truth, capsys, more, message):
    before = sorted(result.parent.iterdir())
    more = [str(truth) if one == "TRUTH" else one for one in more]
    assert main(["track", str(result), *more]) == 2
    said = capsys.readouterr().err
    assert said.startswith("dlcreg track: ")
    assert message in said
    assert sorted(result.parent.iterdir()) == before


def test_tracks_are_not_tracked_again_and_the_others_are_done(result, truth, tmp_path, capsys):
    argv = ["track", str(truth), str(result), "--format", "h5", "--out", str(tmp_path / "out")]
    assert main(argv) == 2
    said = capsys.readouterr()
    assert said.err == (
        f"dlcreg track: {truth} is tracked already: give the file that it was made of\n"
    )
    assert (tmp_path / "out" / "clipDLC_X_el.h5").is_file()
