"""Every config that comes with dlcreg fits together, and the table of them is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dlcreg.builder import build_model, check
from dlcreg.config import load_config
from dlcreg.data.demo import generate

FOLDER = Path(__file__).resolve().parents[2] / "configs"
CONFIGS = sorted(FOLDER.glob("[!_]*/*.py"))
ON_COCO = ("resnet18_flies_quick", "resnet18_ap10k_quick")
ROW = re.compile(
    r"^\| \[(?P<name>\w+)\]\((?P<path>[\w/.]+)\) \|.*\| (?P<height>\d+) x (?P<width>\d+) "
    r"\| (?P<parameters>[\d.]+) \| (?P<gmac>[\d.]+) \| (?P<accuracy>[^|]+) \|$"
)

each_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def two_animals(tmp_path_factory) -> Path:
    return generate(
        tmp_path_factory.mktemp("two") / "p", frames=4, animals=2, size=(96, 128), video=False
    )


def _table() -> dict[str, re.Match[str]]:
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [ROW.match(line) for line in lines if line.startswith("| [")]
    assert all(rows), "a row of the table has another form"
    return {row["path"]: row for row in rows}


@each_config
def test_a_config_has_no_problem_without_its_data(path):
    assert check(path, open_data=False) == []


@each_config
def test_a_config_has_no_problem_with_its_data(path, demo_project, two_animals, request):
    tree = load_config(path)
    if path.stem in ON_COCO:
        shared = request.getfixturevalue("shared")
        for part in ("train", "test"):
            file = tree.get(f"data.{part}.annotation_file").removeprefix("../shared/")
            tree.set(f"data.{part}.annotation_file", str(shared / file))
    else:
        root = two_animals if "256x192" in path.stem else demo_project
        for part in ("train", "val", "test"):
            tree.set(f"data.{part}.project.root", str(root))
    assert check(tree) == []


@each_config
def test_a_config_fits_on_a_screen_and_begins_with_what_it_is_about(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 50
    assert lines[0].startswith("# ")


def test_the_table_lists_every_config():
    assert set(_table()) == {p.relative_to(FOLDER).as_posix() for p in CONFIGS}


@each_config
def test_the_table_is_right_about_parameters_and_operations(path):
    row = _table()[path.relative_to(FOLDER).as_posix()]
    with torch.device("meta"):
        model = build_model(path, num_keypoints=17).eval()
        image = torch.zeros(1, 3, int(row["height"]), int(row["width"]))
    with FlopCounterMode(display=False) as operations:
        model(image)
    assert row["parameters"] == f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f}"
    assert row["gmac"] == f"{operations.get_total_flops() / 2e9:.1f}"


def test_the_command_of_the_table_measures(repo):
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    code = re.search(r"python -c '(.*?)'", readme, re.DOTALL).group(1)
    done = subprocess.run(
        [sys.executable, "-c", code, "configs/hrnet/hrnet_w32_top_down_256x192.py"],
        cwd=repo, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "28.536113 M parameters\n7.645003776 GMAC\n", done.stderr
