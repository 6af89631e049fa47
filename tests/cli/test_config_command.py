"""`dlcreg config show | fill | diff | schema`."""

from __future__ import annotations

import json

import pytest

from dlcreg.apis.settings import default_config
from dlcreg.builder import filled
from dlcreg.cli import main
from dlcreg.config import load_config
from dlcreg.config.dump import portable
from dlcreg.solvers import checkpoint

DEFAULT = str(default_config())


@pytest.mark.parametrize("suffix", [".py", ".yaml", ".json"])
def test_fill_writes_every_default_and_loads_to_the_same(suffix, tmp_path, capsys):
    out = tmp_path / f"full{suffix}"
    assert main(["config", "fill", DEFAULT, "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    again = load_config(out).data
    assert portable(again) == portable(filled(DEFAULT))
    assert again["model"]["backbone"]["output_stride"] == 32
    assert portable(filled(again)) == portable(again)


def test_fill_replaces_a_file_only_if_told_to(tmp_path, capsys):
    out = tmp_path / "full.yaml"
    out.write_text("precious")
    assert main(["config", "fill", DEFAULT, "--out", str(out)]) == 2
    assert "is there already. Take another name, or --overwrite." in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert main(["config", "fill", DEFAULT, "--out", str(out), "--overwrite"]) == 0
    assert load_config(out).get("solver.max_epochs") == 30


def test_fill_says_which_files_it_writes(tmp_path, capsys):
    assert main(["config", "fill", DEFAULT, "--out", str(tmp_path / "full.toml")]) == 2
    assert "ends in .py, .yaml, .yml or .json, not in '.toml'" in capsys.readouterr().err


def test_show_prints_json_on_demand(capsys):
    assert main(["config", "show", DEFAULT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == portable(filled(DEFAULT))


@pytest.fixture
def two(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("solver: {max_epochs: 3, seed: 1}\n")
    (tmp_path / "b.py").write_text("solver = dict(\n    max_epochs=4,\n    ema=0.1,\n    seed=1)\n")
    return tmp_path


def test_diff_prints_path_values_and_places_and_ends_with_1(two, capsys):
    assert main(["config", "diff", "a.yaml", "b.py"]) == 1
    assert capsys.readouterr().out == (
        "solver.max_epochs\n"
        "  - 3    a.yaml:1:10\n"
        "  + 4    b.py:2:5\n"
        "solver.ema\n"
        "  - (not there)\n"
        "  + 0.1    b.py:3:5\n"
    )


def test_diff_of_equal_configs_is_silent_and_ends_with_0(two, capsys):
    assert main(["config", "diff", "a.yaml", "a.yaml"]) == 0
    assert capsys.readouterr().out == ""


def test_diff_prints_json_on_demand(two, capsys):
    assert main(["config", "diff", "a.yaml", "b.py", "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert first["path"] == "solver.max_epochs"
    assert first["left"] == {"value": 3, "file": "a.yaml", "line": 1, "column": 10}
    assert "left" not in second
    assert second["right"]["value"] == 0.1


def test_diff_reads_the_config_of_a_checkpoint(two, capsys):
    checkpoint.save(
        two / "run.pth", {"config": {"solver": {"max_epochs": 3, "seed": 2}}, "model": {}}
    )
    assert main(["config", "diff", "a.yaml", "run.pth"]) == 1
    assert capsys.readouterr().out == "solver.seed\n  - 1    a.yaml:1:25\n  + 2    run.pth\n"


def test_a_checkpoint_without_a_config_says_so(two, capsys):
    checkpoint.save(two / "run.pth", {"config": {}, "model": {}})
    assert main(["config", "diff", "a.yaml", "run.pth"]) == 2
    assert "run.pth carries no config." in capsys.readouterr().err


def test_schema_prints_or_writes_a_json_schema(tmp_path, capsys):
    assert main(["config", "schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    out = tmp_path / "dlcreg.schema.json"
    assert main(["config", "schema", "--out", str(out)]) == 0
    assert json.loads(out.read_text()) == printed
