"""What `dlcreg info` says of parts and of checkpoints."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch

from dlcreg import BACKBONES, HEADS, plugins
from dlcreg.apis.describe import describe
from dlcreg.apis.example import example_config
from dlcreg.cli import main
from dlcreg.registry import REGISTRIES
from dlcreg.schema import Checker
from dlcreg.schema.check import PROVIDED
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.structures import DatasetInfo
from dlcreg.wiring import construct

HEAD = '''
from dlcreg.contracts import Head

class MouseHead(Head):
    """Whiskers of mice (Brecht, 2007).

    Args:
        whiskers: how many a side.
    """

    def __init__(self, in_channels: int, codec, losses, whiskers: int = 24):
        super().__init__(codec, losses)

    def forward(self, features):
        return {}
'''


@pytest.fixture
def mouse_heads(site):
    entry = "[dlcreg.heads]\nMouseHead = mice:MouseHead\n"
    folder = site("mouse-heads", entry, version="1.2.3", mice=HEAD)
    metadata = folder / "mouse_heads-1.2.3.dist-info/METADATA"
    more = "License: MIT\nProject-URL: Homepage, https://mice.example\n"
    metadata.write_text(metadata.read_text() + more)
    return folder


def test_a_part_is_told_with_package_source_paper_and_arguments(mouse_heads, capsys):
    assert main(["info", "heads/MouseHead"]) == 0
    out = capsys.readouterr().out
    for line in (
        "package:  mouse-heads 1.2.3",
        "licence:  MIT",
        "home:     https://mice.example",
        f"source:   {mouse_heads / 'mice.py'}:4",
        "papers:   Brecht, 2007",
        "  in_channels: an int (wired, required)",
        "  whiskers: an int (default 24)",
    ):
        assert line in out.splitlines()


def test_a_part_as_json_has_its_documentation_and_an_example(mouse_heads, capsys):
    assert main(["info", "MouseHead", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["part"]["distribution"] == "mouse-heads"
    assert found["purpose"] == "Whiskers of mice (Brecht, 2007)."
    assert {a["name"]: a["doc"] for a in found["arguments"]}["whiskers"] == "how many a side."
    assert found["example"]["type"] == "MouseHead"


@pytest.mark.parametrize("prefix", ["", "heads/", "mouse-heads/", "heads/mouse-heads/"])
def test_a_part_is_found_by_each_of_its_names(mouse_heads, prefix):
    assert describe(f"{prefix}MouseHead").part.target == "mice:MouseHead"


def test_an_unknown_part_gets_a_suggestion(capsys):
    assert main(["info", "HeatmapHed"]) == 2
    assert "there is no part 'HeatmapHed'. Did you mean 'HeatmapHead'?" in capsys.readouterr().err


def test_a_name_of_several_kinds_asks_which(site, capsys):
    site("both", "[dlcreg.heads]\nTwice = both:A\n[dlcreg.codecs]\nTwice = both:B\n", both="")
    assert main(["info", "Twice"]) == 2
    assert "Say which one: heads/Twice or codecs/Twice" in capsys.readouterr().err


@pytest.mark.parametrize("kind", list(REGISTRIES))
def test_every_example_passes_the_checks_of_a_config(kind):
    registry = REGISTRIES[kind]
    for row in registry.listing():
        example = example_config(registry, row.name)
        assert example is not None, row.name
        checker = Checker()
        checker.part(registry, example, "", provided=PROVIDED.get(kind, ()))
        assert not checker.problems, row.name


@pytest.mark.parametrize("name", ["DEKRHead", "RTMCCHead", "UniqueKeypointsHead", "DLCRNetHead"])
def test_a_head_that_takes_few_codecs_is_shown_with_one_of_them(name):
    wired = DatasetInfo(("nose", "tail"), unique=DatasetInfo(("corner",))).wiring()
    sizes = {"in_channels": (16,), "in_strides": (4,), "input_size": (64, 64)}
    assert construct(HEADS, example_config(HEADS, name), {**wired, **sizes}) is not None


def test_a_backbone_around_another_one_is_shown_with_one_that_it_takes():
    assert example_config(BACKBONES, "CoAM")["backbone"] == dict(type="HRNet")
    assert example_config(BACKBONES, "PreNet")["encoder"] == dict(type="ColoredKeypoints")


def test_the_example_of_a_head_has_a_loss_for_each_output():
    example = example_config(HEADS, "HeatmapHead")
    assert set(example["losses"]) == {"heatmap"}


@pytest.fixture
def checkpoint(mouse_heads, tmp_path):
    part = asdict(HEADS.part("MouseHead"))
    content = {
        "model": {"conv.weight": torch.zeros(3, 4), "bn.running_mean": torch.zeros(7)},
        "config": {"model": {"type": "PoseModel", "head": {"type": "MouseHead"}}},
        "info": {"keypoint_names": ["nose", "tail"]},
        "best": {"key": "rmse", "value": 1.5, "epoch": 7},
        "dlcreg": plugins.own_version(),
        "torch": "2.4.0",
        "provenance": [part],
    }
    return checkpoints.save(tmp_path / "best.pth", content)


def test_a_checkpoint_tells_where_it_comes_from(checkpoint, capsys):
    assert main(["info", str(checkpoint)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        f"made with: dlcreg {plugins.own_version()}, torch 2.4.0",
        "epoch: 7",
        "best: rmse 1.5",
        "parameters: 12",
        "keypoints: nose, tail",
        "model: PoseModel, MouseHead",
        "heads/MouseHead: mouse-heads 1.2.3, here: same",
    ):
        assert line in lines


def test_a_checkpoint_whose_parts_are_missing_ends_with_status_1(checkpoint, mouse_heads, capsys):
    for file in (mouse_heads / "mouse_heads-1.2.3.dist-info").iterdir():
        file.unlink()
    plugins.refresh()
    assert main(["info", str(checkpoint), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [part["status"] for part in found["parts"]] == ["not installed"]
    assert found["config"]["model"]["type"] == "PoseModel"


def test_a_file_that_is_no_checkpoint_is_one_line(tmp_path, capsys):
    (tmp_path / "x.pth").write_text("nothing")
    assert main(["info", str(tmp_path / "x.pth")]) == 2
    assert "is damaged" in capsys.readouterr().err
