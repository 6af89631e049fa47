"""The example config, and a small network that trains by it."""

import time
from pathlib import Path

from dlcreg import apis
from dlcreg.builder import check
from dlcreg.config import load_config

CONFIG = Path(__file__).parents[1] / "configs/convnext_tiny_bottom_up.py"


def options(project):
    return {f"data.{part}.project.root": str(project) for part in ("train", "val", "test")}


def test_the_example_config_is_right(project):
    tree = load_config(CONFIG)
    for key, value in options(project).items():
        tree.set(key, value, source="test")
    start = time.process_time()
    assert check(tree) == []
    assert time.process_time() - start < 10


def test_a_small_network_trains_by_it(project, tmp_path):
    small = {
        **options(project),
        "model.backbone.name": "test_convnext",
        "model.backbone.weights": None,
        "model.neck.channels": 16,
        "data.train.transform": [],
        "data.num_workers": 0,
        "solver.max_epochs": 1,
        "solver.tensorboard": False,
        "evaluation": {"pictures": 0},
    }
    apis.train(CONFIG, options=small, work_dir=tmp_path / "run")
    assert '"distribution": "dlcreg-timm"' in (tmp_path / "run/provenance.json").read_text()
    assert (tmp_path / "run/epoch_1.pth").is_file()


def test_a_misspelt_name_is_told_at_its_place_in_the_config(project):
    tree = load_config(CONFIG)
    tree.set("model.backbone.name", "convnext_tinny", source="test")
    problems = [str(problem) for problem in check(tree, open_data=False)]
    assert any("model.backbone.name" in p and "'convnext_tiny'" in p for p in problems)
