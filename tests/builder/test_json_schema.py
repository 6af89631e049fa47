"""The JSON Schema accepts what dlcreg accepts, and refuses misspelt keys, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcreg.apis.settings import default_config
from dlcreg.builder import filled
from dlcreg.builder.json_schema import config_schema
from dlcreg.config import load_config
from dlcreg.config.dump import portable
from dlcreg.registry import REGISTRIES

jsonschema = pytest.importorskip("jsonschema")

FOLDER = Path(__file__).resolve().parents[2] / "configs"
CONFIGS = [*sorted(FOLDER.glob("[!_]*/*.py")), default_config()]


@pytest.fixture(scope="module")
def schema():
    return config_schema()


@pytest.fixture(scope="module")
def errors(schema):
    """Return ``errors(config)``: the JSON paths at which the schema refuses a config."""
    validator = jsonschema.Draft202012Validator(schema)

    def found(config):
        document = json.loads(json.dumps(portable(config)))
        return [error.json_path for error in validator.iter_errors(document)]

    return found


def test_it_is_a_valid_schema_of_draft_2020_12(schema):
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_accepts_the_configs_that_come_with_dlcreg(path, errors):
    assert errors(load_config(path).data) == []


def test_it_accepts_every_default_written_out(errors):
    assert errors(filled(default_config())) == []


@pytest.mark.parametrize(
    "path",
    ["model.backbone.dpeth", "data.train.mod", "solver.optimizer.rl", "solver.schedule.ends",
     "evaluation.pcut", "data.train.transform.1.pp", "data.train.project.rot", "sover"],
)  # fmt: skip
def test_it_refuses_a_misspelt_key(path, errors):
    tree = load_config(default_config())
    tree.set(path, 1)
    assert errors(tree.data)


@pytest.mark.parametrize(
    ("path", "value"),
    [("model.backbone.type", "ResNit"), ("model.backbone.depth", 19), ("solver.max_epochs", "ten"),
     ("solver.hooks", 3), ("data.train.project", None), ("model.head.losses", [])],
)  # fmt: skip
def test_it_refuses_a_wrong_value(path, value, errors):
    tree = load_config(default_config())
    tree.set(path, value)
    assert errors(tree.data)


def test_it_refuses_a_missing_part(errors):
    config = load_config(default_config()).data
    del config["model"]["head"]["codec"]
    assert errors(config) == ["$.model.head"]


def test_a_config_that_builds_on_others_may_leave_things_out_but_not_misspell(errors):
    config = {"_base_": "x.yaml", "model": {"backbone": {"type": "ResNet", "depth": 50}}}
    config["data"] = {"train": {"transform": {"0": {"type": "Flip"}}}}
    assert errors(config) == []
    config["model"]["backbone"]["dpeth"] = 50
    assert errors(config)


def test_it_knows_every_part_by_both_its_names_with_what_its_docstring_says(schema):
    heads = schema["$defs"]["heads"]["properties"]["type"]["anyOf"][0]["enum"]
    assert set(heads) >= {*REGISTRIES["heads"].names(), "dlcreg/HeatmapHead"}
    sigma = schema["$defs"]["codecs.GaussianHeatmap"]["properties"]["sigma"]
    assert sigma["type"] == "number"
    assert "cells" in sigma["description"]
    assert isinstance(sigma["default"], float)


def test_a_part_of_this_process_is_among_them(monkeypatch):
    from dlcreg.contracts import Neck

    class MyOwnNeck(Neck):
        def __init__(self, width: int = 3) -> None:
            super().__init__()

        def forward(self, features):
            return features

    monkeypatch.setattr(REGISTRIES["necks"], "_registered", {})
    REGISTRIES["necks"].register_module(MyOwnNeck)
    assert config_schema()["$defs"]["necks.MyOwnNeck"]["properties"]["width"]["type"] == "integer"
