"""`dlcreg check --data --step --graph --json`."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.image import imread

from dlcreg.builder.build import examine
from dlcreg.builder.graph import graph_of
from dlcreg.cli import main

CONFIG = """
model:
  backbone: {type: ResNet, depth: 18, out_indices: [2, 3]}
  neck: {type: FPN, channels: 16}
  head:
    type: HeatmapHead
    codec: {type: GaussianHeatmap, locref_std: 7.2801}
    losses: {heatmap: {type: MSELoss}, locref: {type: HuberLoss}}
data:
  train:
    type: PoseDataset
    project: {root: ROOT}
    transform: [{type: Flip}, {type: Crop, size: [64, 96]}]
  test: {type: PoseDataset, project: {root: ROOT}, mode: test}
  batch_size: 2
solver: {optimizer: {type: SGD, lr: 0.1}, metrics: [{type: PCK}], max_epochs: 1}
"""


@pytest.fixture
def config(tmp_path, monkeypatch, demo_project):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(CONFIG.replace("ROOT", str(demo_project)))
    return path


def test_json_of_a_good_config_has_no_problems(config, capsys):
    assert main(["check", "mine.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"config": "mine.yaml", "problems": []}


def test_json_lists_problems_with_path_file_line_and_column(config, capsys):
    config.write_text(config.read_text().replace("depth: 18", "dept: 18"))
    assert main(["check", "mine.yaml", "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem == {
        "path": "model.backbone.dept",
        "message": "ResNet takes no 'dept'. Did you mean 'depth'?",
        "file": "mine.yaml",
        "line": 3,
        "column": 28,
    }


def test_json_of_a_config_that_is_not_there_is_a_problem_too(capsys):
    assert main(["check", "nowhere.yaml", "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert "nowhere.yaml" in problem["message"]
    assert problem["line"] is None


def test_json_says_which_option_a_problem_comes_from(config, capsys):
    options = ["--cfg-options", "solver.max_epochs=ten"]
    assert main(["check", "mine.yaml", "--json", *options]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["source"] == "--cfg-options"


def test_data_draws_images_labels_and_targets(config, capsys, tmp_path):
    assert main(["check", "mine.yaml", "--data"]) == 0
    assert "picture: work_dirs/mine/batch.png" in capsys.readouterr().out
    picture = imread(tmp_path / "work_dirs/mine/batch.png")
    height, width = picture.shape[:2]
    assert width > height  # two images below one another, each with two targets beside it
    assert np.unique(picture.reshape(-1, picture.shape[-1]), axis=0).shape[0] > 500


def test_data_goes_where_out_says(config, tmp_path):
    assert main(["check", "mine.yaml", "--data", "--out", "there.png"]) == 0
    assert (tmp_path / "there.png").is_file()
    assert not (tmp_path / "work_dirs").exists()


def test_a_picture_that_cannot_be_written_is_a_line(config, capsys):
    (config.parent / "file").write_text("")
    assert main(["check", "mine.yaml", "--data", "--out", "file/there.png"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_step_tells_losses_gradient_and_time_and_writes_nothing(config, capsys, tmp_path):
    assert main(["check", "mine.yaml", "--step", "--json"]) == 0
    step = json.loads(capsys.readouterr().out)["step"]
    assert set(step["losses"]) == {"loss", "heatmap", "locref"}
    assert step["losses"]["loss"] == pytest.approx(
        step["losses"]["heatmap"] + step["losses"]["locref"], rel=1e-4
    )
    assert step["gradient_norm"] > 0
    assert (step["images"], step["device"], step["updated"]) == (2, "cpu", True)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize(
    ("decay", "message"),
    [
        ("1e3", "infinite or NaN: lower the lr."),
        ("1e300", "SGD cannot update the weights: value cannot be converted"),
    ],
)
def test_step_refuses_an_update_that_is_not_finite(decay, message, config, capsys):
    lr = "solver.optimizer.lr=1e38"
    options = ["--cfg-options", lr, f"solver.optimizer.weight_decay={decay}"]
    assert main(["check", "mine.yaml", "--step", *options]) == 2
    assert message in capsys.readouterr().err


def test_step_needs_the_data(config, capsys):
    assert main(["check", "mine.yaml", "--step", "--no-data"]) == 2
    assert "--step needs the data" in capsys.readouterr().err


def test_graph_prints_class_package_cost_and_shapes(config, capsys):
    assert main(["check", "mine.yaml", "--graph"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (backbone,) = (i for i, line in enumerate(lines) if "backbone ResNet  dlcreg" in line)
    assert "11.2 M parameters" in lines[backbone]
    assert "GMACs  depth=18" in lines[backbone]
    assert (
        "(B, 3, 64, 96) -> (B, 256, 4, 6) stride 16, (B, 512, 2, 3) stride 32"
        in (lines[backbone + 1])
    )
    text = "\n".join(lines)
    assert "heatmap (B, 6, 4, 6), locref (B, 12, 4, 6) -> poses (B, 1, 6, 2)" in text
    assert "96 x 128 -> 64 x 96" in text
    assert "optimizer SGD  torch " in text


def test_graph_works_without_data_on_stand_ins(config, capsys):
    config.write_text(CONFIG.replace("ROOT", "nowhere"))
    assert main(["check", "mine.yaml", "--graph", "--no-data"]) == 0
    out = capsys.readouterr().out
    assert "images of 64 x 96 and 4 keypoints stand in for the data" in out
    assert "heatmap (B, 4, 4, 6)" in out


def test_graph_as_json_has_every_edge(config, capsys):
    assert main(["check", "mine.yaml", "--graph", "--json"]) == 0
    graph = json.loads(capsys.readouterr().out)["graph"]
    edges = {(edge["from"], edge["to"]) for edge in graph["edges"]}
    assert edges >= {
        ("data.train", "model.backbone"),
        ("model.backbone", "model.neck"),
        ("model.neck", "model.head"),
        ("model.head", "model.head.codec"),
        ("model.head", "model.head.losses.locref"),
        ("model.head.losses.locref", "solver.optimizer"),
        ("model.head.codec", "solver.metrics.0"),
    }


def test_graph_is_written_as_svg(config, capsys, tmp_path):
    assert main(["check", "mine.yaml", "--graph", "graph.svg"]) == 0
    assert "graph:   graph.svg" in capsys.readouterr().out
    root = ET.parse(tmp_path / "graph.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"model.backbone: ResNet", "(B, 512, 2, 3) stride 32", "solver: metrics"} <= {*texts}
    width, height = float(root.get("width")), float(root.get("height"))
    for box in root.iter("{http://www.w3.org/2000/svg}g"):
        x, y, w, h = (float(box[0].get(name)) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height


def test_graph_is_written_for_mermaid(config, tmp_path):
    assert main(["check", "mine.yaml", "--graph", "graph.mmd"]) == 0
    lines = (tmp_path / "graph.mmd").read_text().splitlines()
    assert lines[0] == "flowchart TD"
    (backbone,) = (line for line in lines if "model.backbone: ResNet" in line)
    name = backbone.split("[")[0].strip()
    assert any(line.strip().startswith(f"{name} -->|") for line in lines)


def test_graph_of_another_suffix_says_which_there_are(config, capsys):
    assert main(["check", "mine.yaml", "--graph", "graph.png"]) == 2
    assert "graph.png: a graph is written as .svg, .mmd, .mermaid." in capsys.readouterr().err


def test_a_part_that_hands_its_input_through_stands_between_its_neighbours(config):
    config.write_text(
        config.read_text()
        .replace("{type: FPN, channels: 16}", "{type: IdentityNeck}")
        .replace("[2, 3]", "[3]")
    )
    edges = {(edge.source, edge.target) for edge in graph_of(examine("mine.yaml")).edges}
    assert {("model.backbone", "model.neck"), ("model.neck", "model.head")} <= edges
    assert ("model.backbone", "model.head") not in edges
