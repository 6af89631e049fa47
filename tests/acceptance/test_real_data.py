"""The quick config on real projects and COCO files: openfield, flies, AP-10K, and a generated one.

One epoch on few and small images: that everything goes together, not how well it does.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcreg import Project, apis
from dlcreg.errors import ConfigError

SHORT = {
    "solver.max_epochs": 1,
    "solver.precision": "fp32",
    "solver.tensorboard": False,
    "evaluation.pictures": 2,
}
WINDOW = {"type": "CropInstance", "size": [64, 64]}


def _numbers(tree, path=()):
    """Yield the path and the value of every number of a nested dict."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _numbers(value, (*path, name))
        else:
            yield (*path, name), value


def _check_result(folder: Path, parts: set[str], keypoints, unlabelled=()):
    """Check that the evaluation of a run is whole."""
    metrics = json.loads((folder / "evaluation/metrics.json").read_text())
    assert set(metrics) == parts
    for part in parts:
        measured = metrics[part]
        assert list(measured["per_keypoint"]) == list(keypoints)
        assert {"pck", "auc", "oks_ap", "oks_ar", "mean_error_px", "rmse_px"} <= set(measured)
        for path, value in _numbers(measured):
            # a mean over nothing: no keypoint is sure after one epoch, or none is labelled
            empty = path[-1].endswith("_pcutoff") or (path[1:2] and path[1] in unlabelled)
            assert (value is None and empty) or math.isfinite(value), path
    for name in ("test_best.png", "test_worst.png"):
        with Image.open(folder / "evaluation" / name) as picture:
            assert min(picture.size) > 300
            assert np.asarray(picture.convert("L")).std() > 5
    with Image.open(folder / "learning_curves.png") as picture:
        assert picture.size[0] > 300
    return metrics


def _animals(measured) -> int:
    """Return the number of labelled animals; after one epoch a prediction may fit none of them."""
    return measured["counts"]["animals"] + measured["counts"]["missed_animals"]


def _split(root: Path, path: Path, train: int, test: int) -> tuple[Path, tuple[str, ...]]:
    """Write a split of the first images of a project."""
    images = Project(root).images
    parts = {"train": images[:train], "test": images[train : train + test]}
    path.write_text(json.dumps({"project": root.name, **parts}))
    return path, Project(root).bodyparts


def _coco_options(train: Path, test: Path) -> dict:
    """Return what points the quick COCO configs at other files, with small crops."""
    return {
        **SHORT,
        "data.train.annotation_file": str(train),
        "data.test.annotation_file": str(test),
        "data.train.transform": [WINDOW],
        "data.test.transform": [WINDOW],
    }


def _few(source: Path, path: Path, count: int) -> Path:
    """Write the first images of a COCO file as a COCO file of their own; return it."""
    content = json.loads(source.read_text())
    content["images"] = content["images"][:count]
    kept = {image["id"] for image in content["images"]}
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] in kept]
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def ap10k(shared) -> Path:
    return shared / "data/coco-keypoints/ap10k/annotations/test_ap10k.json"


def test_the_tool_trains_on_openfield_with_a_split_without_a_warning(shared, repo, tmp_path):
    root = shared / "data/openfield-Pranav-2018-10-30"
    split, bodyparts = _split(root, tmp_path / "split.json", train=6, test=3)
    options = [f"{key}={value}" for key, value in SHORT.items()]
    done = subprocess.run(
        [
            sys.executable, repo / "tools/train.py",
            repo / "configs/resnet/resnet18_openfield_quick.py",
            "--project", root, "--split", split, "--work-dir", "run", "--cfg-options", *options,
            "data.test.transform=[dict(type='Resize', scale=0.25)]",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()
    metrics = _check_result(tmp_path / "run", {"train", "test"}, bodyparts)
    assert _animals(metrics["train"]) == 6
    assert _animals(metrics["test"]) == 3
    kept = json.loads((tmp_path / "run/split.json").read_text())
    assert kept["test"] == json.loads(split.read_text())["test"]


def test_two_flies_are_trained_as_crops_and_measured_in_their_images(shared, repo, tmp_path):
    folder = shared / "data/flies-sleap-2020-01-01"
    train = _few(folder / "coco/keypoints_train.json", tmp_path / "train.json", 4)
    test = _few(folder / "coco/keypoints_val.json", tmp_path / "test.json", 3)
    options = _coco_options(train, test)
    options |= {f"data.{part}.image_root": str(folder) for part in ("train", "test")}
    result = apis.train(
        repo / "configs/resnet/resnet18_flies_quick.py", options=options, work_dir=tmp_path / "run"
    )
    names = json.loads(train.read_text())["categories"][0]["keypoints"]
    metrics = _check_result(tmp_path / "run", {"train", "test"}, names)
    assert metrics["test"]["mean_error_px"] == result.metrics["test"]["mean_error_px"]
    assert _animals(metrics["train"]) == 8
    assert _animals(metrics["test"]) == 6
    assert metrics["test"]["mean_error_px"] < 250  # across the crop of the larger fly


def test_the_flies_train_as_a_project_too(shared, repo, tmp_path):
    root = shared / "data/flies-sleap-2020-01-01"
    split, bodyparts = _split(root, tmp_path / "split.json", train=4, test=2)
    options = {
        **SHORT,
        **{f"data.{part}.view": "instance" for part in ("train", "val", "test")},
        **{f"data.{part}.transform": [WINDOW] for part in ("train", "val", "test")},
    }
    apis.train(
        repo / "configs/resnet/resnet18_openfield_quick.py",
        options=options, project=root, split=split, work_dir=tmp_path / "run",
    )  # fmt: skip
    metrics = _check_result(tmp_path / "run", {"train", "test"}, bodyparts)
    assert _animals(metrics["train"]) == 8


def test_the_two_images_of_ap10k_are_trained_and_measured(ap10k, repo, tmp_path, capfd):
    apis.train(
        repo / "configs/resnet/resnet18_ap10k_quick.py",
        options=_coco_options(ap10k, ap10k), work_dir=tmp_path / "run",
    )  # fmt: skip
    names = json.loads(ap10k.read_text())["categories"][0]["keypoints"]
    metrics = _check_result(tmp_path / "run", {"train", "test"}, names, unlabelled=["right_eye"])
    assert _animals(metrics["train"]) == 2
    assert metrics["train"] == metrics["test"]
    assert not capfd.readouterr().err


def _montage(source: Path, folder: Path) -> Path:
    """Write the two images side by side as one, with both animals, and return its COCO file."""
    content = json.loads(source.read_text())
    paths = [source.parent.parent / "images" / i["file_name"] for i in content["images"]]
    pictures = [Image.open(path).convert("RGB") for path in paths]
    starts = [0, pictures[0].width]
    size = (sum(p.width for p in pictures), max(p.height for p in pictures))
    montage = Image.new("RGB", size)
    for picture, start in zip(pictures, starts):
        montage.paste(picture, (start, 0))
    montage.save(folder / "montage.png")
    start_of = {image["id"]: start for image, start in zip(content["images"], starts)}
    for annotation in content["annotations"]:
        start = start_of[annotation["image_id"]]
        points = np.array(annotation["keypoints"]).reshape(-1, 3)
        points[points[:, 2] > 0, 0] += start
        annotation["keypoints"] = points.ravel().tolist()
        annotation["bbox"][0] += start
        annotation["image_id"] = 1
    content["images"] = [{"id": 1, "file_name": "montage.png", "width": size[0], "height": size[1]}]
    path = folder / "montage.json"
    path.write_text(json.dumps(content))
    return path


def test_both_animals_of_a_montage_of_ap10k_are_trained_and_measured(ap10k, repo, tmp_path, capfd):
    montage = _montage(ap10k, tmp_path)
    apis.train(
        repo / "configs/resnet/resnet18_ap10k_quick.py",
        options=_coco_options(montage, montage), work_dir=tmp_path / "run",
    )  # fmt: skip
    folder = tmp_path / "run"
    metrics = json.loads((folder / "evaluation/metrics.json").read_text())
    assert _animals(metrics["test"]) == 2
    assert math.isfinite(metrics["test"]["mean_error_px"])
    # one image is the best one and is not shown again as the worst
    assert sorted(path.name for path in (folder / "evaluation").glob("*.png")) == ["test_best.png"]
    assert not capfd.readouterr().err


def test_a_montage_as_a_whole_image_is_refused_with_the_way_out(ap10k, repo, tmp_path):
    montage = _montage(ap10k, tmp_path)
    options = _coco_options(montage, montage)
    for part in ("train", "test"):
        options[f"data.{part}.view"] = "image"
        options[f"data.{part}.transform"] = [{"type": "Resize", "longest": 128}]
    with pytest.raises(ConfigError, match="Cut the animals out"):
        apis.train(
            repo / "configs/resnet/resnet18_ap10k_quick.py",
            options=options, work_dir=tmp_path / "run",
        )  # fmt: skip


def test_the_generated_project_is_trained_and_measured(demo_project, repo, tmp_path, capfd):
    apis.train(
        repo / "configs/resnet/resnet18_openfield_quick.py",
        options={**SHORT, "data.split": {"train_fraction": 0.8, "val_fraction": 0.2}},
        project=demo_project, work_dir=tmp_path / "run",
    )  # fmt: skip
    bodyparts = Project(demo_project).bodyparts
    _check_result(tmp_path / "run", {"train", "val", "test"}, bodyparts)
    assert (tmp_path / "run/metrics.csv").read_text().splitlines()[0].count("val/")
    assert not capfd.readouterr().err
