"""Small trained models of every kind, and what evaluation finds with them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_network import small_config

from dlcreg.apis import train
from dlcreg.builder import build_data
from dlcreg.data.demo import generate
from dlcreg.inference import load_trained
from dlcreg.solvers.evaluation import evaluate

sys.path.insert(0, str(Path(__file__).parent))  # for alike.py


@pytest.fixture(scope="session")
def two_mice(tmp_path_factory) -> Path:
    """A generated project with two animals; tests must not change it."""
    root = tmp_path_factory.mktemp("two") / "project"
    return generate(root, frames=8, animals=2, size=(96, 128), video=False)


@pytest.fixture(scope="session")
def single(demo_project, tmp_path_factory) -> Path:
    """The checkpoint of a model of one animal, which sees images at another scale."""
    config = small_config(demo_project, [{"type": "Resize", "scale": 0.8}])
    return train(config, work_dir=tmp_path_factory.mktemp("single")).checkpoint


@pytest.fixture(scope="session")
def top_down(two_mice, tmp_path_factory) -> Path:
    """The checkpoint of a model that sees one of two animals at a time."""
    config = small_config(two_mice, [{"type": "CropInstance", "size": [64, 64]}], "instance")
    return train(config, work_dir=tmp_path_factory.mktemp("top_down")).checkpoint


@pytest.fixture(scope="session")
def bottom_up(two_mice, tmp_path_factory) -> Path:
    """The checkpoint of a model that finds two animals in whole images."""
    config = small_config(two_mice, [])
    config["model"]["head"] = {
        "type": "DEKRHead",
        "offset_blocks": 1,
        "codec": {"type": "DEKROffsets", "activation": "sigmoid"},
        "losses": {"heatmap": {"type": "BCELoss"}, "offset": {"type": "HuberLoss"}},
    }
    return train(config, work_dir=tmp_path_factory.mktemp("bottom_up")).checkpoint


@pytest.fixture(scope="session")
def part_affinity(two_mice, tmp_path_factory) -> Path:
    """The checkpoint of a model that puts two animals together along part affinity fields."""
    config = small_config(two_mice, [])
    config["model"]["head"] = {
        "type": "DeconvHead",
        "codec": {"type": "PartAffinityFields"},
        "losses": {name: {"type": "MSELoss"} for name in ("heatmap", "locref", "paf")},
    }
    return train(config, work_dir=tmp_path_factory.mktemp("part_affinity")).checkpoint


@pytest.fixture(scope="session")
def measured() -> Callable[..., list]:
    """What evaluation finds in the test part: ``measured(checkpoint)`` gives (Meta, Poses)."""

    def find(checkpoint: Path, batch_size: int = 4, **options: Any) -> list:
        trained = load_trained(checkpoint)
        data = build_data(trained.config)
        found: list = []
        loader = data.loader(data.test, batch_size)
        evaluate(trained.model, loader, [], predictions=found, **options)
        return found

    return find
