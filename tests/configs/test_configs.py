"""Every config that comes with dlcreg fits together, and the tables of them are true."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
import torch

from dlcreg.builder import check
from dlcreg.config import load_config
from dlcreg.data.demo import generate
from dlcreg.models.published import load_published

TOOL = Path(__file__).resolve().parents[2] / "tools" / "zoo.py"
spec = importlib.util.spec_from_file_location("zoo", TOOL)
zoo = importlib.util.module_from_spec(spec)
spec.loader.exec_module(zoo)

CONFIGS = zoo.configs()


@functools.cache
def _model_of(path: Path):
    """Return the model of a config on the meta device, and the size of its images."""
    return zoo.model_of(path)


def _first(kind, paths=CONFIGS) -> list[Path]:
    """Return the first config of each kind."""
    return list({kind(path): path for path in reversed(paths)}.values())[::-1]


def _data_of(path: Path) -> str:
    """Return what the data of a config are, numbers left out."""
    return re.sub(r"[\d.]+", "", str(load_config(path).data["data"]))


def _named(paths, chosen=None):
    """Give a test each of the paths; those that are not chosen are for `pytest -m exhaustive`."""
    marks = [() if chosen is None or path in chosen else pytest.mark.exhaustive for path in paths]
    cases = [pytest.param(path, marks=mark) for path, mark in zip(paths, marks, strict=True)]
    return pytest.mark.parametrize("path", cases, ids=[path.stem for path in paths])


PUBLISHED = [path for path in CONFIGS if "load" in zoo.zoo(path)]
FAMILIES = _first(lambda path: path.parent)

each_config = _named(CONFIGS)
each_family = _named(FAMILIES)
each_row = _named(CONFIGS, FAMILIES)
each_kind = _named(CONFIGS, _first(_data_of))
each_published = _named(PUBLISHED, _first(lambda path: path.parent, PUBLISHED))


@pytest.fixture(scope="module")
def two_animals(tmp_path_factory) -> Path:
    return generate(
        tmp_path_factory.mktemp("two") / "p",
        frames=4,
        animals=2,
        size=(96, 128),
        video=False,
        corners=True,
        identity=True,
    )


@each_family
def test_a_config_has_no_problem_without_its_data(path):
    assert check(path, open_data=False) == []


@each_kind
def test_a_config_has_no_problem_with_its_data(path, demo_project, two_animals, request, tmp_path):
    tree = load_config(path)
    parts = [part for part in ("train", "val", "test") if tree.get(f"data.{part}")]
    if tree.get("data.train.annotation_file"):
        shared = request.getfixturevalue("shared")
        for part in parts:
            file = shared / tree.get(f"data.{part}.annotation_file").removeprefix("../shared/")
            if not file.is_file():  # the whole data set; two images of it are there
                file = shared / "data/coco-keypoints/ap10k/annotations/test_ap10k.json"
            tree.set(f"data.{part}.annotation_file", str(file))
        if tree.get("data.train.proposals"):  # as a first stage writes them, here of the labels
            labels = json.loads(Path(tree.get("data.train.annotation_file")).read_text("utf-8"))
            found = tmp_path / "found.json"
            found.write_text(json.dumps([row | {"score": 1.0} for row in labels["annotations"]]))
            tree.set("data.train.proposals", str(found))
    elif tree.get("data.train.project.root") == ".":
        for part in parts:
            root = two_animals if _shows_several(path) else demo_project
            tree.set(f"data.{part}.project.root", str(root))
    assert check(tree) == []


def _shows_several(path: Path) -> bool:
    model, _ = _model_of(path)
    cut = load_config(path).get("data.train.view") == "instance"
    heads = getattr(model, "heads", {})  # none where the model finds boxes
    return cut or not heads or any(one.codec.max_individuals != 1 for one in heads.values())


@each_config
def test_a_config_fits_on_a_screen_and_begins_with_what_it_is_about(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 50
    assert lines[0].startswith("# ")


def test_the_tables_list_every_config_in_the_order_of_the_tool():
    rows = re.findall(r"^\| \[\w+\]\(([\w/.]+)\)", zoo.README.read_text("utf-8"), re.MULTILINE)
    assert rows == [path.relative_to(zoo.FOLDER).as_posix() for path in CONFIGS]


@each_row
def test_the_line_of_a_config_says_what_the_config_is(path):
    row = zoo.row(path, *_model_of(path))
    assert row in zoo.README.read_text("utf-8"), "run python tools/zoo.py"


@each_published
def test_a_config_that_names_a_published_model_describes_it(path):
    model, size = _model_of(path)
    with torch.device("meta"):
        published = load_published(zoo.zoo(path)["load"], None)
    assert zoo.parameters_of(model) == zoo.parameters_of(published)
    state = {name: tensor.shape for name, tensor in published.state_dict().items()}
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == state
    assert size == zoo.PUBLISHED[zoo.zoo(path)["load"]].input_size


def test_the_tool_tells_tables_that_are_out_of_date(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(zoo, "tables", lambda: "| new |\n")
    monkeypatch.setattr(zoo, "README", tmp_path / "README.md")
    zoo.README.write_text(f"# The configs\n{zoo.BEGIN}| old |\n{zoo.END}The end.\n")
    monkeypatch.setattr(sys, "argv", ["zoo.py", "--check"])
    assert zoo.main() == 1
    assert "-| old |\n+| new |\n" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["zoo.py"])
    assert zoo.main() == 0
    assert zoo.README.read_text() == f"# The configs\n{zoo.BEGIN}| new |\n{zoo.END}The end.\n"
    monkeypatch.setattr(sys, "argv", ["zoo.py", "--check"])
    assert zoo.main() == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model = dict()", r"needs _zoo = dict\(what="),
        ("_zoo = dict(what='x', papr='y')", r"takes no \['papr'\]"),
        ("_zoo = dict(what='x', published='AP 70')", "says published, but no source"),
        ("_zoo = dict(what='x', options='--seed 1')", "says options, but no measured"),
        ("_zoo = dict(what='x', then='dlcreg test y.pth')", "says then, but no measured"),
        ("_zoo = dict(what='x', load='hrnet_w33')", "no published model 'hrnet_w33'"),
    ],
)
def test_the_tool_refuses_what_it_cannot_put_into_a_table(text, told, tmp_path):
    path = tmp_path / "config.py"
    path.write_text(text)
    with pytest.raises(SystemExit, match=told):
        zoo.zoo(path)


def test_a_config_is_measured_by_what_stands_before_its_training_and_behind_it(monkeypatch):
    told = {"what": "x", "measured": "AP", "options": "--seed 0", "first": "one", "then": "two"}
    monkeypatch.setattr(zoo, "zoo", lambda path: told)
    path = zoo.FOLDER / "hrnet" / "a.py"
    assert zoo.commands(path) == ["one", "dlcreg train configs/hrnet/a.py --seed 0", "two"]
    del told["measured"]
    assert zoo.commands(path) == []


def test_the_helper_of_the_tables_is_no_value_of_a_config():
    assert "_zoo" not in load_config(CONFIGS[0]).data


def test_the_command_of_the_page_measures(processes, repo):
    readme = zoo.README.read_text(encoding="utf-8")
    code = re.search(r"python -c '(.*?)'", readme, re.DOTALL).group(1)
    done = processes.run("-c", code, "configs/hrnet/hrnet_w32_top_down_256x192.py", cwd=repo)
    assert done.stdout == "28.536113 M parameters\n7.645003776 GMAC\n", done.stderr
