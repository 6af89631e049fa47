"""`dlcreg draw` prints the picture that it made, and what stands in its way in one line."""

from __future__ import annotations

import json

import pytest

from dlcreg.cli import main


@pytest.fixture
def config(tmp_path, demo_project):
    path = tmp_path / "config.json"
    crop = dict(type="CropInstance", size=[64, 48])
    train = dict(type="PoseDataset", project=str(demo_project), view="instance", transform=crop)
    head = dict(type="HeatmapHead", codec=dict(type="DarkHeatmap"))
    head["losses"] = dict(heatmap=dict(type="MSELoss"))
    neck = dict(type="TransformerNeck", channels=8, num_layers=1, num_heads=2)
    backbone = dict(type="ResNet", depth=18, out_indices=[1])
    model = dict(backbone=backbone, neck=neck, head=head)
    path.write_text(json.dumps(dict(model=model, data=dict(train=train))))
    return path


def test_attention_of_a_crop_is_drawn(config, demo_project, tmp_path, capsys):
    image = next(demo_project.glob("labeled-data/*/*.png"))
    out = tmp_path / "attention.png"
    argv = ["draw", "attention", str(config), str(image), "--out", str(out)]
    argv += ["--keypoint", "snout", "--box", "20", "10", "60", "70", "--device", "cpu"]
    assert main(argv) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_a_model_without_attention_is_one_line(config, demo_project, capsys):
    image = next(demo_project.glob("labeled-data/*/*.png"))
    argv = ["draw", "attention", str(config), str(image), "--cfg-options", "model.neck=None"]
    assert main([*argv, "model.head.deconv_channels=(8,)"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("dlcreg draw: no part of this model tells its attention (ResNet")
    assert len(error.splitlines()) == 1


def test_a_missing_image_is_one_line(config, capsys):
    assert main(["draw", "attention", str(config), "nowhere.png"]) == 2
    assert capsys.readouterr().err == "dlcreg draw: there is no image nowhere.png\n"


def test_a_model_of_crops_without_a_box_is_told_of_it(config, demo_project, tmp_path, caplog):
    image = next(demo_project.glob("labeled-data/*/*.png"))
    argv = ["draw", "attention", str(config), str(image), "--out", str(tmp_path / "a.png")]
    assert main([*argv, "--keypoint", "snout", "--device", "cpu"]) == 0
    assert "sees one animal at a time, cut out by its box" in caplog.text
    assert "Give --box X Y WIDTH HEIGHT" in caplog.text
