"""Videos are analysed whole, whatever happens on the way."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from videos import damage, make_video

from dlcreg import Predictor
from dlcreg.analysis.journal import Journal
from dlcreg.analysis.reading import read_recording
from dlcreg.analysis.writers.csv import CSVWriter
from dlcreg.apis import video_poses
from dlcreg.apis.analyze import analyze
from dlcreg.apis.ranks import Rank
from dlcreg.cli import main
from dlcreg.data.video import open_video
from dlcreg.errors import DataError, DlcregError

SCRIPT = Path(__file__).with_name("analysis_that_is_killed.py")
GOPS = {"g": "6", "bf": "2"}


@pytest.fixture
def video(tmp_path):
    return make_video(tmp_path / "clip.mp4", 26, **GOPS)


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_every_frame_has_the_poses_that_the_predictor_finds(checkpoint, video, tmp_path):
    lines = []
    (result,) = analyze(checkpoint, video, tmp_path / "out", device="cpu", say=lines.append)
    assert (result.status, result.frames, result.unreadable) == ("done", 26, [])
    assert [path.suffix for path in result.files] == [".h5", ".csv"]
    found = read_recording(result.files[0])
    images = [frame.image for frame in open_video(video).frames()]
    poses = Predictor(checkpoint, device="cpu")(images)
    expected = np.stack([one.keypoints[0, 0].numpy() for one in poses])
    np.testing.assert_allclose(found.keypoints[:, 0], expected, atol=1e-3)
    assert found.times == pytest.approx(np.arange(26) / 25)
    table = pd.read_hdf(result.files[0])  # a model of one animal has DeepLabCut's tables of one
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    assert found.provenance["checkpoint"] == checkpoint.name
    assert not [name for name in contents(tmp_path / "out") if name.startswith(".")]

    (again,) = analyze(checkpoint, video, tmp_path / "out", device="cpu", say=lines.append)
    assert again.status == "skipped"
    assert "results are there already" in lines[-1]


def test_results_that_are_there_answer_no_other_question(checkpoint, video, tmp_path, monkeypatch):
    out, options = tmp_path / "out", {"device": "cpu", "batch_size": 4}
    (first,) = analyze(checkpoint, video, out, stop=8, **options)
    before = contents(out)
    for other, told in (
        ({"stop": 20}, r"stop=8 \(now 20\)"),
        ({}, r"stop=8 \(now the end\)"),
        ({"stop": 8, "crop": (0, 40, 0, 40)}, r"crop=none \(now \[0, 40, 0, 40\]\)"),
        ({"stop": 8, "dynamic_crop": True}, "dynamic_crop=none"),
        ({"stop": 8, "tracker": "sort-box", "flip_test": True}, "flip_test=none"),
    ):
        (result,) = analyze(checkpoint, video, out, **options, **other)
        assert result.status == "failed"
        assert re.search(rf"is there, but made with {told}.*--overwrite", result.error)
    assert contents(out) == before
    # no model is needed
    monkeypatch.setattr(import_module("dlcreg.apis.analyze"), "Predictor", None)
    more = {"stop": 8, "formats": ["h5", "coco", "meta"], "tracker": "sort-box", "animals": 1}
    (result,) = analyze(checkpoint, video, out, device="cpu", batch_size=2, **more)
    assert (result.status, result.frames, result.error) == ("done", 0, "")
    (again,) = analyze(checkpoint, video, out, device="cpu", batch_size=2, **more)
    assert again.status == "skipped"
    (other,) = analyze(checkpoint, video, out, **options, **{**more, "animals": 2})
    assert "_bx.h5 is there, but made with animals=1 (now 2)" in other.error
    assert {**contents(out), **before} == contents(out)
    endings = {name.removeprefix(first.files[0].stem) for name in {*contents(out)} - {*before}}
    assert endings == {
        *("_meta.pickle", ".json", ".json-metadata.json"),
        *("_bx.h5", "_bx.json", "_bx.json-metadata.json"),
    }


def test_what_cannot_be_is_refused_before_the_model_is_loaded(
    checkpoint, video, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(import_module("dlcreg.apis.analyze"), "Predictor", None)
    out = tmp_path / "out"
    for name, meant in (("sort-elipse", "sort-ellipse"), ("conditoned", "conditioned")):
        with pytest.raises(DlcregError, match=f"no tracker '{name}'. Did you mean '{meant}'"):
            analyze(checkpoint, video, out, tracker=name)
    with pytest.raises(DataError, match="dynamic_crop=3: give True"):
        analyze(checkpoint, video, out, dynamic_crop=3)
    with pytest.raises(TypeError, match=r"analyze\(\) got an unexpected .* 'presision'"):
        analyze(checkpoint, video, out, presision="bf16")
    assert main(["analyze", str(checkpoint), str(video), "--start", "1:00", "--device", "cpu"]) == 1
    said = capsys.readouterr().out
    assert said == f"{video}: start=1:00 is beyond the end: it has 26 frames, 1.0 s\n"


def test_a_call_that_is_interrupted_says_where_it_goes_on(checkpoint, video, tmp_path, monkeypatch):
    monkeypatch.setattr(video_poses, "_EVERY", 0.0)
    append = Journal.append

    def interrupted(journal, chunk):
        append(journal, chunk)
        if journal.frames >= 8:
            raise KeyboardInterrupt

    options = {"device": "cpu", "batch_size": 4, "say": (said := []).append}
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            analyze(checkpoint, video, tmp_path / "out", **options)
    assert said[-1] == f"{video}: broken off; the same call goes on at frame 8"
    analyze(checkpoint, video, tmp_path / "out", **options)
    assert "clip.mp4: goes on at frame 8" in said


def test_a_crop_is_all_that_the_model_sees(checkpoint, video, tmp_path):
    crop = (16, 56, 8, 40)
    (result,) = analyze(checkpoint, video, tmp_path / "out", crop=crop, device="cpu")
    found = read_recording(result.files[0]).keypoints[:, 0]
    images = [frame.image[8:40, 16:56] for frame in open_video(video).frames()]
    poses = Predictor(checkpoint, device="cpu")(images)
    offset = np.array([16, 8])
    expected = np.stack([one.keypoints[0, 0].numpy() + offset for one in poses])
    np.testing.assert_allclose(found, expected, atol=1e-3)
    with pytest.raises(DataError, match="x1 < x2"):
        analyze(checkpoint, video, tmp_path / "out", crop=(5, 5, 0, 9))
    (result,) = analyze(checkpoint, video, tmp_path / "b", crop=(0, 99, 0, 9), device="cpu")
    assert "reaches beyond the 64 x 48 pixels" in result.error


def test_a_part_of_a_video_keeps_the_numbers_of_its_frames(checkpoint, video, tmp_path):
    damage(video, 9)
    options = {"device": "cpu", "batch_size": 4}
    (whole,) = analyze(checkpoint, video, tmp_path / "whole", **options)
    (part,) = analyze(checkpoint, video, tmp_path / "part", start="0.12s", stop=18, **options)
    assert (part.status, part.frames) == ("done", 15)
    assert part.unreadable == [one for one in whole.unreadable if 3 <= one[0] < 18]
    expected, found = (read_recording(result.files[0]) for result in (whole, part))
    assert len(found) == 18
    np.testing.assert_allclose(found.keypoints[3:], expected.keypoints[3:18], atol=1e-3)
    assert np.isnan(found.keypoints[:3]).all()
    assert not found.readable[:3].any()
    assert found.times == pytest.approx(expected.times[:18])
    assert found.provenance["frames"] == [3, 18]
    (late,) = analyze(checkpoint, video, tmp_path / "late", start=26, **options)
    assert "start=26 is beyond the end: it has 26 frames, 1.0 s" in late.error
    (late,) = analyze(checkpoint, video, tmp_path / "late", start="1s", stop=20, **options)
    assert r"from 1s (frame 25) to 20 (frame 20) there are no frames" in late.error
    assert not (tmp_path / "late").exists()


def started(processes, tmp_path, count, told, *argv, **env):
    """Start an analysis that stands still after some frames; return it once it does."""
    told.unlink(missing_ok=True)
    logs = {"cwd": tmp_path, "output": tmp_path / "output", "errors": tmp_path / "errors"}
    group = processes.start(SCRIPT, str(count), told, *argv, **logs, **env)
    deadline = time.monotonic() + 240
    while not told.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert told.exists(), logs["errors"].read_text()
    return group


def kill(processes, group):
    os.killpg(group, signal.SIGKILL)
    assert processes.wait() == -signal.SIGKILL


@pytest.mark.skipif(os.name == "nt", reason="kills processes")
def test_an_analysis_that_is_killed_again_and_again_ends_with_the_same_files(
    checkpoint, video, tmp_path, processes, capsys
):
    damage(video, 9)
    options = [str(checkpoint), str(video), "--device", "cpu", "--batch-size", "4"]
    assert main(["analyze", *options, "--out", str(tmp_path / "whole")]) == 0
    out = tmp_path / "out"
    for count in (9, 11):
        group = started(processes, tmp_path, count, tmp_path / "told", *options, "--out", str(out))
        kill(processes, group)
        assert sorted(Path(name).suffix for name in contents(out)) == [".claim", ".partial"]
    capsys.readouterr()
    assert main(["analyze", *options, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "goes on at frame" in said
    assert "not read: frames" in said
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.skipif(os.name == "nt", reason="kills processes")
def test_what_a_dead_process_leaves_behind_another_one_goes_on_with(
    checkpoint, tmp_path, processes
):
    videos = [make_video(tmp_path / f"{name}.mp4", 14, **GOPS) for name in "abc"]
    argv = [str(checkpoint), *map(str, videos), "--device", "cpu", "--batch-size", "4"]
    assert main(["analyze", *argv, "--out", str(tmp_path / "whole")]) == 0
    out = tmp_path / "out"
    env = {"RANK": "0", "WORLD_SIZE": "2"}
    group = started(processes, tmp_path, 9, tmp_path / "told", *argv, "--out", str(out), **env)
    dead = threading.Timer(3, kill, (processes, group))
    dead.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RANK", "1")
        patch.setenv("WORLD_SIZE", "2")
        results = analyze(
            checkpoint, videos, out, device="cpu", batch_size=4, say=(said := []).append
        )
    dead.join()
    assert [(result.status, result.error) for result in results] == [("done", "")] * 3
    assert any("goes on at frame" in line for line in said)
    assert contents(out) == contents(tmp_path / "whole")


def test_one_video_that_fails_does_not_stop_the_others(checkpoint, video, tmp_path, capsys):
    text = tmp_path / "notes.txt"
    text.write_text("nothing to see\n" * 50)
    out = tmp_path / "out"
    argv = ["analyze", str(checkpoint), str(text), str(video), "--out", str(out)]
    tracked = ["--tracker", "sort-ellipse", "--animals", "1"]
    assert main([*argv, *tracked, "--device", "cpu", "--format", "csv", "meta"]) == 1
    said = capsys.readouterr().out
    assert "26 animals in 26 frames" in said
    assert f"1 of 2 videos failed: {text}" in said
    assert said.count("is a text and no video") == 1
    endings = sorted(name.rpartition("snapshot_1")[2] for name in contents(out))
    assert endings == [
        *(".csv", ".csv-metadata.json", "_el.csv", "_el.csv-metadata.json", "_meta.pickle")
    ]


def test_a_disk_that_is_full_keeps_what_was_found(checkpoint, video, tmp_path, monkeypatch):
    class Full(CSVWriter):
        """A writer that has no room."""

        def write(self, recording, path):
            raise DlcregError(f"{path} cannot be written: No space left on device")

    out = tmp_path / "out"
    options = {"device": "cpu", "batch_size": 4}
    (result,) = analyze(checkpoint, video, out, formats=[{"type": Full}], **options)
    assert result.status == "failed"
    assert "No space left" in result.error
    assert [Path(name).suffix for name in contents(out)] == [".partial"]
    (result,) = analyze(checkpoint, video, out, formats=["csv"], **options)
    assert (result.status, result.frames) == ("done", 0)  # all of them were there
    (tmp_path / "file").touch()
    (result,) = analyze(checkpoint, video, tmp_path / "file" / "out", **options)
    assert "Give another one for the results (--out)" in result.error


def test_an_analysis_that_was_begun_otherwise_is_not_lost(checkpoint, video, tmp_path):
    out = tmp_path / "out"
    options = {"device": "cpu", "formats": ["csv"]}
    (result,) = analyze(checkpoint, video, out, batch_size=4, **options)
    journal = out / f".{result.files[0].stem}.partial"
    result.files[0].unlink()
    Journal(journal, {"settings": "of another day"}).close()
    before = journal.read_bytes()
    (result,) = analyze(checkpoint, video, out, **options)
    assert "throw it away (--overwrite)" in result.error
    assert journal.read_bytes() == before
    (result,) = analyze(checkpoint, video, out, overwrite=True, **options)
    assert (result.status, result.error, journal.exists()) == ("done", "", False)


def test_processes_are_told_apart_by_torchrun_and_slurm(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    assert Rank.here() == Rank()
    for number, count, local in (
        ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
        ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ):
        values = {number: "3", count: "8", local: "1"}
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        assert Rank.here() == Rank(3, 8, 1)
