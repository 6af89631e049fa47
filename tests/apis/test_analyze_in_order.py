"""Models of crops, models that follow animals, and crops that do: in videos, and broken off."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from dots import BandDots, crossing, drawn, saved
from videos import damage, make_video

from dlcreg import DynamicCrop
from dlcreg.analysis.reading import read_recording
from dlcreg.analysis.writers.csv import CSVWriter
from dlcreg.apis import video_poses
from dlcreg.apis.analyze import analyze
from dlcreg.cli import main
from dlcreg.errors import DataError, DlcregError

FRAMES = 24
SCRIPT = Path(__file__).with_name("analysis_that_is_killed.py")


def shown(frame):
    """Two animals; the first is not there for a while."""
    return crossing(frame)[1:] if 5 <= frame < 9 else crossing(frame)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Checkpoints: of whole images, with as many animals, of crops, and of crops with a pose."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "one": saved(folder / "one.pth", "BandDots"),
        "two": saved(folder / "two.pth", "BandDots", rows=2),
        "crops": saved(folder / "crops.pth", "BandDots", "instance"),
        "follower": saved(folder / "follower.pth", "NearestDots", "instance"),
    }


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    pictures = [drawn(shown(frame)) for frame in range(FRAMES)]
    damage(make_video(path, pictures, pix_fmt="yuv444p", g="1", crf="4"), 13)
    return path


FOLLOWED = {"type": "conditioned", "every": 3}
CASES = {
    "top-down": ("crops", {"proposals": "two"}),
    "conditioned": ("follower", {"proposals": "two", "tracker": FOLLOWED}),
    # the upper half, in which there is but one animal
    "dynamic crop": ("one", {"dynamic_crop": DynamicCrop(margin=9), "crop": (0, 160, 0, 50)}),
}


def analyzed(models, case, video, out, **more):
    name, options = CASES[case]
    options = {**options, "device": "cpu", "batch_size": 2, **more}
    if options.get("proposals") in models:
        options["proposals"] = models[options["proposals"]]
    (result,) = analyze(models[name], video, out, **options)
    return result


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


class Full(CSVWriter):
    """A writer that has no room."""

    def write(self, recording, path):
        raise DlcregError(f"{path} cannot be written: No space left on device")


@pytest.mark.parametrize("case", CASES)
def test_wherever_it_was_broken_off_it_ends_with_the_same_files(
    case, models, video, tmp_path, monkeypatch
):
    monkeypatch.setattr(video_poses, "_EVERY", 0.0)  # a chunk for each group of frames
    whole = analyzed(models, case, video, tmp_path / "whole")
    assert (whole.status, whole.error, whole.frames) == ("done", "", FRAMES)
    assert whole.unreadable
    analyzed(models, case, video, tmp_path / "out", formats=[{"type": Full}])
    (journal,) = (tmp_path / "out").iterdir()
    written = journal.read_bytes()
    for share in (0.5, 0.95):
        for path in (tmp_path / "out").iterdir():
            path.unlink()
        journal.write_bytes(written[: int(share * len(written))])
        result = analyzed(models, case, video, tmp_path / "out")
        assert result.status == "done"
        assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert 0 < result.frames < FRAMES


def distances(recording):
    """Return how far the heads of rows are from where they were drawn, ``(F, N)``."""
    points = recording.keypoints[:, :, 0]
    heads = np.array([[head for head, _ in crossing(frame)] for frame in range(len(points))])
    return np.linalg.norm(points - heads[:, : points.shape[1]], axis=-1)


def test_a_model_that_looks_at_a_pose_follows_animals(models, video, tmp_path):
    result = analyzed(models, "conditioned", video, tmp_path)
    found = read_recording(result.files[0])
    names = [f"clip{found.scorer}_ctd{suffix}" for suffix in (".h5", ".csv")]
    assert [path.name for path in result.files] == names
    assert (found.tracked, found.individuals) == (True, ("one", "two"))
    assert found.provenance["tracking"]["tracker"] == "conditioned"
    seen = np.ones(FRAMES, bool)
    seen[[number for number, _ in result.unreadable]] = False
    ways = distances(found)
    assert np.nanmax(ways) < 1  # who is who stays so
    assert np.isfinite(ways[seen, 1]).all()
    assert np.isnan(ways[5:9, 0]).all()
    assert np.isfinite(ways[-3:]).all()  # it was found again


@pytest.mark.exhaustive  # journals that are cut, and kills, are tried each by themselves
@pytest.mark.skipif(os.name == "nt", reason="kills processes")
def test_animals_keep_their_rows_over_a_kill(models, video, tmp_path, processes):
    argv = [str(models["follower"]), str(video), "--proposals", str(models["two"]), "--out"]
    options = ["--tracker", "conditioned", "--device", "cpu"]
    assert main(["analyze", *argv, str(tmp_path / "whole"), *options]) == 0
    out, told, errors = tmp_path / "out", tmp_path / "told", tmp_path / "errors"
    logs = {"cwd": tmp_path, "output": tmp_path / "output", "errors": errors}
    group = processes.start(SCRIPT, "11", told, *argv, out, *options, **logs)
    deadline = time.monotonic() + 240
    while not told.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert told.exists(), errors.read_text()
    os.killpg(group, signal.SIGKILL)
    assert processes.wait() == -signal.SIGKILL
    assert any(path.suffix == ".partial" for path in out.iterdir())
    assert main(["analyze", *argv, str(out), *options]) == 0
    assert contents(out) == contents(tmp_path / "whole")


def test_what_a_first_stage_found_of_a_video_may_be_a_file(models, video, tmp_path):
    first = analyze(models["two"], video, tmp_path / "first", formats=["coco"], device="cpu")
    (path,) = first[0].files
    by_file, by_model = (
        analyzed(models, "conditioned", video, tmp_path / name, animals=2, **options)
        for name, options in (("a", {"proposals": path}), ("b", {}))
    )
    one, other = (read_recording(result.files[0]) for result in (by_file, by_model))
    np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.01)
    with pytest.raises(DataError, match="give max_animals"):
        analyzed(models, "conditioned", video, tmp_path / "c", proposals=path)


def test_a_detector_says_where_animals_are_and_a_tracker_who(models, video, tmp_path):
    result = analyzed(models, "top-down", video, tmp_path, tracker="sort-pose", animals=2)
    assert [path.suffix for path in result.files] == [".h5", ".csv"] * 2
    assert result.files[2].stem.endswith("_sk")
    found = read_recording(result.files[2])
    assert found.tracked
    assert found.valid.sum(axis=1).max() == 2


def test_a_dynamic_crop_changes_what_is_looked_at_and_not_what_is_found(models, video, tmp_path):
    BandDots.seen.clear()
    cropped = analyzed(models, "dynamic crop", video, tmp_path / "cropped")
    seen = BandDots.seen[-FRAMES + len(cropped.unreadable) :]
    assert seen[0] == (50, 160)
    assert seen[1] < (50, 97)
    plain = analyzed(models, "dynamic crop", video, tmp_path / "plain", dynamic_crop=None)
    one, other = (read_recording(result.files[0]) for result in (cropped, plain))
    np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.1)
    assert np.nanmax(distances(one)) < 1


def test_what_a_model_cannot_do_is_told_before_anything_is_written(models, video, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(DataError, match="looks at no condition"):
        analyzed(models, "top-down", video, out, tracker="conditioned")
    with pytest.raises(DataError, match=r"tracker conditioned: .*'often'"):
        analyzed(models, "conditioned", video, out, tracker={"type": "conditioned", "often": 1})
    with pytest.raises(DataError, match="cut out for it already"):
        analyzed(models, "top-down", video, out, dynamic_crop=DynamicCrop())
    argv = ["analyze", str(models["one"]), str(video), "--out", str(out), "--device", "cpu"]
    for options, message in (
        (["--crop-margin", "9"], "--crop-margin is for --dynamic-crop"),
        (["--dynamic-crop", "--crop-threshold", "9"], "--crop-threshold=9"),
        (["--start", "9", "--stop", "9"], "nothing lies between"),
    ):
        assert main([*argv, *options]) == 2
        assert message in capsys.readouterr().err
    assert not out.exists()
