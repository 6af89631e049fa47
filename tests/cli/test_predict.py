"""`dlcreg predict` writes what other models take as proposals, and draws it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from dlcreg import Predictor
from dlcreg.cli import main
from dlcreg.data.proposals import Proposals


@pytest.fixture
def images(demo_project):
    return sorted(demo_project.glob("labeled-data/*/*.png"))[:3]


def test_poses_are_written_as_proposals_and_drawn(checkpoint, images, tmp_path, capsys):
    out, folder = tmp_path / "found.json", tmp_path / "pictures"
    argv = ["predict", str(checkpoint), *map(str, images), "--out", str(out)]
    assert main([*argv, "--draw", str(folder), "--device", "cpu", "--batch-size", "2"]) == 0
    said = capsys.readouterr().out
    assert "3 animals in 3 images" in said
    assert f"results: {out}" in said
    assert f"{folder}: 3 pictures" in said
    assert sorted(path.read_bytes()[:4] for path in folder.iterdir()) == [b"\x89PNG"] * 3
    read = Proposals.read(out)
    for index, (image, poses) in enumerate(zip(images, Predictor(checkpoint)(images), strict=True)):
        found = read.of(index, image.name)
        assert abs(found.keypoints[0, :, :2] - poses.keypoints[0, 0].numpy()).max() < 1e-3


def test_a_coco_file_stands_for_its_images(checkpoint, images, tmp_path):
    entries = [{"id": 7 + i, "file_name": str(image)} for i, image in enumerate(images)]
    (tmp_path / "images.json").write_text(json.dumps({"images": entries}))
    out = tmp_path / "found.json"
    assert main(["predict", str(checkpoint), str(tmp_path / "images.json"), "--out", str(out)]) == 0
    assert [row["image_id"] for row in json.loads(out.read_text())] == [7, 8, 9]


def test_a_damaged_image_is_an_error_and_nothing_is_written(checkpoint, images, tmp_path, capsys):
    torn, out = tmp_path / "torn.png", tmp_path / "found.json"
    torn.write_bytes(images[0].read_bytes()[:300])
    argv = ["predict", str(checkpoint), str(images[0]), str(torn), "--out", str(out)]
    assert main(argv) == 2
    assert "torn.png" in capsys.readouterr().err
    assert not out.exists()
    assert main([*argv, "--skip-damaged"]) == 0
    assert f"left out: {torn.as_posix()}: " in capsys.readouterr().out
    assert len(json.loads(out.read_text())) == 1


def test_a_misspelt_image_is_told_in_one_line(checkpoint, capsys):
    assert main(["predict", str(checkpoint), "nowhere.png"]) == 2
    assert capsys.readouterr().err == "dlcreg predict: there is no image nowhere.png\n"


def test_a_wrong_batch_size_is_told_by_its_name(checkpoint, capsys):
    with pytest.raises(SystemExit):
        main(["predict", str(checkpoint), "x.png", "--batch-size", "many"])
    assert "'many': give auto, or a number from 1 on" in capsys.readouterr().err


def test_the_tool_is_the_command(repo):
    command = [sys.executable, str(repo / "tools/predict.py"), "--help"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "CHECKPOINT IMAGES" in said
