"""Runs that go on, and checkpoints that are measured later, elsewhere or on more labels."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from small_network import small_config

import dlcreg
from dlcreg import METRICS, build_model
from dlcreg.apis import evaluate, train
from dlcreg.contracts import Metric
from dlcreg.data.labels import read_table, write_table
from dlcreg.errors import CheckpointError, ConfigError, DataError
from dlcreg.solvers import checkpoint


def config(root, **solver):
    """Return the config of a small network that trains an epoch in a second."""
    small = small_config(root)
    return {**small, "solver": {**small["solver"], **solver}}


@pytest.fixture
def project(demo_project, tmp_path):
    """A copy of the demo project in which a test may label more."""
    return shutil.copytree(demo_project, tmp_path / "project")


@pytest.fixture(scope="module")
def finished(demo_project, tmp_path_factory):
    """A run of the demo project that is measured; tests must change neither."""
    return train(config(demo_project), work_dir=tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of that run's folder, to go on with."""
    return shutil.copytree(finished.work_dir, tmp_path / "run")


def label_more(project):
    """Take the labels of the last frame of each video as those of six new frames."""
    for path in project.glob("labeled-data/*/*.h5"):
        table, folder = read_table(path), path.parent
        names = [*table.rows, *(f"labeled-data/{folder.name}/new{i}.png" for i in range(6))]
        for name in names[-6:]:
            shutil.copy(project / table.rows[-1], project / name)
        values = np.concatenate([table.values, np.repeat(table.values[-1:], 6, axis=0)])
        write_table(folder, "dlcreg", names, list(table.columns), values)


def written(result):
    """Return ``metrics.json``, in which a mean over nothing is null and equal to itself."""
    return json.loads((result.work_dir / "evaluation/metrics.json").read_text())


def counts(metrics):
    """Return how many animals each part has."""
    return {part: values["counts"]["animals"] for part, values in metrics.items()}


def test_images_stay_in_their_parts_when_more_are_labelled(project, tmp_path):
    first = train(config(project), work_dir=tmp_path / "run")
    split = (tmp_path / "run/split.json").read_text()
    label_more(project)
    again = evaluate(None, first.checkpoint, work_dir=tmp_path / "again", seed=5)
    assert written(again) == written(first)
    resumed = train(config(project, max_epochs=2), work_dir=tmp_path / "run", resume=True)
    assert counts(resumed.metrics) == counts(first.metrics)
    assert (tmp_path / "run/split.json").read_text() == split


def test_another_split_that_is_asked_for_is_drawn_with_a_warning(finished, tmp_path, caplog):
    options = {"data.split.train_fraction": 0.25}
    other = evaluate(None, finished.checkpoint, work_dir=tmp_path / "again", options=options)
    assert counts(other.metrics) == {"train": 5, "test": 15}
    assert (
        "5 of the 15 images of the test part, by their names, were trained on, or chose "
        in caplog.text
    )
    assert "The split of the training is in split.json" in caplog.text


def test_images_stay_in_their_parts_when_the_project_is_renamed(
    finished, demo_project, tmp_path, caplog
):
    renamed = shutil.copytree(demo_project, tmp_path / "renamed")
    label_more(renamed)
    again = evaluate(None, finished.checkpoint, work_dir=tmp_path / "again", project=renamed)
    assert written(again) == written(finished)
    assert "the data has another name than in training (project), but every image" in caplog.text


def test_images_of_the_training_in_a_test_part_of_less_data_are_told(
    finished, demo_project, tmp_path, caplog
):
    fewer = shutil.copytree(demo_project, tmp_path / "fewer")
    table = next(fewer.glob("labeled-data/*/*.h5"))
    read = read_table(table)
    write_table(table.parent, "dlcreg", read.rows[1:], list(read.columns), read.values[1:])
    evaluate(None, finished.checkpoint, work_dir=tmp_path / "again", project=fewer)
    assert "images of the test part, by their names, were trained on, or chose" in caplog.text


def test_a_run_is_not_resumed_with_another_split(copied, finished, demo_project, tmp_path):
    own = copied / "split.json"
    before = own.read_text()
    split = json.loads(before)
    moved = split["train"].pop()
    split["test"].append(moved)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(split))
    longer = config(demo_project, max_epochs=2)
    with pytest.raises(CheckpointError) as caught:
        train(longer, work_dir=copied, resume=True, split=other)
    assert str(caught.value) == (
        f"{copied / finished.checkpoint.name} was trained with another split: 1 of 20 images "
        f"changed their part. {moved} was in train and is in test. Resume with the split of the "
        "run, which stands as split.json in its work dir, or start anew in another work dir."
    )
    assert own.read_text() == before
    resumed = train(longer, work_dir=copied, resume=True, split=own)
    assert counts(resumed.metrics) == counts(finished.metrics)


def test_a_model_is_measured_as_it_was_made_for_the_size_of_its_images(project, tmp_path):
    small, model = config(project), config(project)["model"]
    model["backbone"] = {"type": "IdentityBackbone"}
    model["head"] |= {"type": "TokenPoseHead", "dim": 8, "depth": [1], "num_heads": 1}
    small["model"] = model
    for part in ("train", "test"):
        small["data"][part]["transform"] = [{"type": "Resize", "size": [32, 48]}]
    first = train(small, work_dir=tmp_path / "run")
    options = {"data.test.transform": [{"type": "Resize", "size": [40, 64]}]}
    again = evaluate(None, first.checkpoint, work_dir=tmp_path / "again", options=options)
    assert counts(again.metrics) == counts(first.metrics)
    weights = checkpoint.load(first.checkpoint)["model"]
    assert weights["head.mlp_head.3.bias"].shape == (8 * 12,)


def test_a_checkpoint_is_measured_without_the_weights_that_training_began_with(project, tmp_path):
    cfg, start = config(project), tmp_path / "start.pth"
    begun = build_model(cfg["model"], num_keypoints=6)
    torch.save(begun.backbone.state_dict(), start)
    cfg["model"]["backbone"]["weights"] = str(start)
    first = train(cfg, work_dir=tmp_path / "run")
    start.unlink()
    assert written(evaluate(None, first.checkpoint, work_dir=tmp_path / "b")) == written(first)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_gpu_trains_and_measures_what_it_trained(project, tmp_path, workers):
    cfg = config(project, device="cuda")
    cfg["data"]["num_workers"] = workers
    first = train(cfg, work_dir=tmp_path / "run")
    again = evaluate(None, first.checkpoint, work_dir=tmp_path / "b", device="cuda")
    assert written(again)["test"]["mean_error_px"] == pytest.approx(
        written(first)["test"]["mean_error_px"], abs=0.01
    )


def test_a_run_that_cannot_be_resumed_with_a_config_keeps_its_own(copied, demo_project):
    before = (copied / "config.py").read_text()
    other = config(demo_project)
    other["model"]["backbone"]["depth"] = 34
    with pytest.raises(CheckpointError, match="do not fit the model"):
        train(other, work_dir=copied, resume=True)
    assert (copied / "config.py").read_text() == before


def test_a_resumed_run_notes_the_config_that_it_went_on_with(copied, demo_project):
    train(config(demo_project, max_epochs=2), work_dir=copied, resume=True)
    assert "max_epochs=2" in (copied / "config.py").read_text()


def test_numbers_of_other_things_go_to_a_folder_of_their_own(copied, finished, demo_project):
    def folder(**changes):
        return evaluate(None, copied / finished.checkpoint.name, **changes).folder.name

    assert folder(device="cpu", seed=3) == "evaluation"
    before = (copied / "evaluation/metrics.json").read_text()
    flipped = {"evaluation.flip_test": True}
    assert folder(options=flipped) == "evaluation_2"
    assert folder(options={"data.split.train_fraction": 0.25}) == "evaluation_3"
    assert folder(options=flipped) == "evaluation_2"
    assert folder() == "evaluation"
    assert (copied / "evaluation/metrics.json").read_text() == before
    train(config(demo_project), work_dir=copied, overwrite=True)
    assert [path.name for path in copied.glob("evaluation*")] == ["evaluation"]


def test_a_run_is_repeated_by_its_config_and_its_split(project, tmp_path):
    first = train(config(project), work_dir=tmp_path / "run")
    label_more(project)
    kept = {"split": tmp_path / "run/split.json", "work_dir": tmp_path / "again"}
    second = train(tmp_path / "run/config.py", **kept)
    one, other = (checkpoint.load(run.checkpoint)["model"] for run in (first, second))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert written(second) == written(first)


@pytest.mark.parametrize("augmented", [True, False])
def test_training_images_measured_as_they_are_augmented_are_told(
    project, tmp_path, caplog, augmented
):
    cfg = config(project)
    cfg["data"]["test"] = None
    step = {"type": "Affine", "rotation": 30} if augmented else {"type": "Resize", "scale": 0.5}
    cfg["data"]["train"]["transform"] = [step]
    train(cfg, work_dir=tmp_path / "run")
    said = "the training images are measured as they are augmented, which is random" in caplog.text
    assert said == augmented


def test_a_checkpoint_without_a_config_asks_for_one(finished, demo_project, tmp_path):
    state = checkpoint.load(finished.checkpoint)
    bare = checkpoint.save(tmp_path / "bare.pth", {"model": state["model"]})
    with pytest.raises(CheckpointError, match=r"bare\.pth carries no config: give one"):
        evaluate(None, bare)
    given = evaluate(config(demo_project), bare, work_dir=tmp_path / "b")
    assert written(given) == written(finished)


def test_keypoints_of_other_names_are_measured_with_a_warning(
    finished, demo_project, tmp_path, caplog
):
    other = config(demo_project)
    names = ["leftear", "snout", "rightear", "spine", "tailbase", "tailtip"]
    for part in ("train", "test"):
        other["data"][part]["keypoint_names"] = names
    evaluate(other, finished.checkpoint, work_dir=tmp_path / "b")
    assert "was trained on the keypoints snout, leftear" in caplog.text


@pytest.mark.parametrize(
    ("solver", "says"),
    [
        ({"precision": "fp8"}, "solver.precision: must be one of 'fp32', 'bf16', 'fp16', 'auto'"),
        ({"seed": 2**70}, r"solver\.seed: .* makes no sense: give 0 to 2\*\*63 - 1"),
    ],
)
def test_mistakes_of_the_solver_are_told_by_their_place(
    finished, demo_project, tmp_path, solver, says
):
    with pytest.raises(ConfigError, match=says):
        train(config(demo_project, **solver), work_dir=tmp_path / "other")
    if "precision" in solver:
        other = config(demo_project, **solver)
        other["evaluation"]["metrics"] = [{"type": "PixelError"}]
        with pytest.raises(ConfigError, match=says):
            evaluate(other, finished.checkpoint)


def test_the_file_of_metrics_has_each_share_once_and_in_a_table(project, tmp_path):
    cfg = config(project)
    cfg["solver"]["metrics"] += [{"type": "PCK", "thresholds": [0.1, 0.2]}]
    result = train(cfg, work_dir=tmp_path / "run")
    test = written(result)["test"]
    assert test["pck"].keys() == {"0.1", "0.2"}
    assert [key for key in test if "@" in key] == []
    assert result.metrics["test"]["pck@0.1"] == test["pck"]["0.1"]


def test_results_say_which_package_and_version_each_part_is_from(finished):
    made_by = json.loads((finished.work_dir / "evaluation/provenance.json").read_text())
    assert made_by["dlcreg"] == dlcreg.__version__
    assert made_by["config"]["model"]["head"]["type"] == "HeatmapHead"
    parts = made_by["parts"]
    assert all(len(part["sha256"]) == 64 for part in parts)
    assert {"HeatmapHead", "GaussianHeatmap", "PoseDataset"} <= {part["name"] for part in parts}
    assert {(part["distribution"], part["version"]) for part in parts} == {
        ("dlcreg", dlcreg.__version__)
    }


class Spread(Metric):
    """A metric of a third party that wants to know the keypoints."""

    def __init__(self, num_keypoints: int) -> None:
        self.num_keypoints = num_keypoints

    @property
    def keys(self):
        return ("spread",)

    def reset(self, info):
        self.values = []

    def update(self, poses, instances, meta):
        self.values.append(float(poses.keypoints.std()))

    def compute(self):
        return {"spread": float(np.mean(self.values)) / self.num_keypoints}


def test_metrics_are_wired_in_the_final_evaluation_as_in_training(project, tmp_path):
    METRICS.register_module(module=Spread, force=True)
    cfg = config(project)
    cfg["solver"]["metrics"].append({"type": "Spread"})
    result = train(cfg, work_dir=tmp_path / "run")
    assert written(result)["test"]["spread"] > 0


def test_crops_are_measured_with_given_and_with_proposed_boxes(two_animals, tmp_path):
    crops = {"view": "instance", "transform": [{"type": "CropInstance", "size": (64, 64)}]}
    settings = config(two_animals)
    for part in ("train", "test"):
        settings["data"][part].update(crops)
    settings["solver"]["metrics"] = [{"type": "PixelError"}, {"type": "CocoOKS"}]
    run = train(settings, work_dir=tmp_path / "run")
    assert list(run.metrics) == ["train", "test"]
    given = json.loads((run.folder / "predictions_test.json").read_text())
    assert {"image_id", "file_name", "keypoints", "score", "category_id"} == set(given[0])

    boxes = tmp_path / "boxes.json"
    data = dlcreg.PoseDataset(two_animals, mode="test", split={"train_fraction": 0.5})
    rows = [
        {"image_id": r.image_id, "file_name": r.name, "score": 0.5, "bbox": box.tolist()}
        for r in data.records
        for box in data.annotations(r.image_id).boxes
    ]
    boxes.write_text(json.dumps(rows))
    result = evaluate(None, run.checkpoint, proposals=boxes)
    assert list(result.metrics) == ["train", "test", "test_detected"]  # the file has no others
    assert result.folder != run.folder
    same = ("mean_error_px", "missed_rate")
    test, detected = result.metrics["test"], result.metrics["test_detected"]
    assert [detected[key] for key in same] == pytest.approx(
        [test[key] for key in same], nan_ok=True
    )
    written = json.loads((result.folder / "metrics.json").read_text())
    assert written["test_detected"]["proposals"] == str(boxes)
    assert str(boxes) in (result.folder / "provenance.json").read_text()
    found = json.loads((result.folder / "predictions_test_detected.json").read_text())
    assert len(found) == len(rows)
    assert all("bbox" in row and row["score"] <= 0.5 for row in found)

    boxes.write_text(json.dumps(rows[:1]))  # all other animals are missed
    lost = evaluate(None, run.checkpoint, proposals=boxes).metrics["test_detected"]
    assert lost["missed_rate"] >= (len(rows) - 1) / len(rows) - 1e-6

    with pytest.raises(DataError, match="sees one animal at a time, and is to be told where"):
        evaluate(None, run.checkpoint, proposals=run.checkpoint)
    with pytest.raises(ConfigError, match="there is no such file"):
        evaluate(None, run.checkpoint, proposals=tmp_path / "no.json")
