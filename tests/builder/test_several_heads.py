"""Configs with several heads: what they are wired, what is told early, what the graph shows."""

from __future__ import annotations

import json

import pytest
import torch

from dlcreg.apis import evaluate, train
from dlcreg.builder import build_model, check
from dlcreg.cli import main
from dlcreg.data.demo import generate

POSE = dict(
    type="HeatmapHead",
    codec=dict(type="PartAffinityFields", graph="skeleton", radius=8, width=8),
    losses={name: dict(type="MSELoss") for name in ("heatmap", "locref", "paf")},
)
IDENTITY = dict(
    type="HeatmapHead",
    codec=dict(type="IdentityMaps", radius=8),
    losses=dict(identity=dict(type="BCELoss")),
)
UNIQUE = dict(
    type="UniqueKeypointsHead",
    head=dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap"),
        losses=dict(heatmap=dict(type="MSELoss")),
    ),
)
METRICS = [
    dict(type="PixelError"),
    dict(type="IdentityAccuracy"),
    dict(type="UniqueKeypoints", metric=dict(type="PixelError")),
]


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    root = tmp_path_factory.mktemp("arena") / "project"
    return generate(
        root, frames=6, animals=2, size=(64, 96), video=False, corners=True, identity=True
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    root = tmp_path_factory.mktemp("plain") / "project"
    return generate(root, frames=4, animals=2, size=(64, 96), video=False)


def config(project, metrics=METRICS, **heads):
    part = dict(type="PoseDataset", project=dict(root=str(project)))
    return dict(
        model=dict(
            type="PoseModel",
            backbone=dict(type="ResNet", depth=18, out_indices=(0,)),
            head=heads or dict(pose=POSE, identity=IDENTITY, unique=UNIQUE),
        ),
        data=dict(
            train=dict(part, mode="train", transform=[dict(type="Flip")]),
            test=dict(part, mode="test"),
            split=dict(train_fraction=0.7),
            batch_size=2,
        ),
        solver=dict(
            optimizer=dict(type="AdamW", lr=1e-3), max_epochs=1, metrics=metrics, device="cpu"
        ),
        evaluation=dict(flip_test=True, pictures=1),
    )


def told(cfg, **options):
    return {problem.path: problem.message for problem in check(cfg, **options)}


def test_each_head_is_wired_to_what_it_speaks_of(arena):
    model = build_model(config(arena))
    assert model.heads["identity"].codec.individuals == ("animal1", "animal2")
    assert model.heads["identity"].final_layer.out_channels == 2
    assert model.heads["unique"].head.num_keypoints == 4
    assert model.heads["unique"].flip_pairs == ((0, 1), (2, 3))
    assert model.heads["pose"].num_keypoints == 6


def test_a_config_with_all_heads_fits_with_and_without_its_data(arena):
    assert told(config(arena)) == {}
    assert told(config("nowhere"), open_data=False) == {}


def test_data_that_does_not_know_who_is_who_is_told_before_anything_is_trained(plain):
    found = told(config(plain, METRICS[:1], pose=POSE, identity=IDENTITY))
    assert list(found) == ["model.head.identity.codec"]
    assert "identity=True of PoseDataset" in found["model.head.identity.codec"]


def test_data_without_unique_body_parts_is_told_likewise(plain):
    found = told(config(plain, METRICS[:1], pose=POSE, unique=UNIQUE))
    assert list(found) == ["model.head.unique"]
    assert "the data has no unique body parts" in found["model.head.unique"]


def test_metrics_of_what_is_not_known_are_told(plain):
    found = told(config(plain, METRICS, pose=POSE))
    assert list(found) == ["solver.metrics.1", "solver.metrics.2"]


def test_a_head_inside_a_head_that_does_not_fit_is_told_at_its_own_place(arena):
    wrong = dict(UNIQUE, head=dict(UNIQUE["head"], num_keypoints=6))
    found = told(config(arena, pose=POSE, unique=wrong))
    assert list(found) == ["model.head.unique.head.num_keypoints"]
    assert "the data has 4" in found["model.head.unique.head.num_keypoints"]


def test_a_model_of_completing_heads_alone_is_told(arena):
    found = told(config(arena, identity=IDENTITY))
    assert "completes poses that another head finds" in found["model.head"]


def test_the_graph_shows_what_each_head_makes(arena, tmp_path, capsys):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(config(arena)))
    assert main(["check", str(file), "--graph"]) == 0
    out = capsys.readouterr().out
    assert "UniqueKeypointsHead" in out
    assert "identities (B, 1)" in out
    assert "unique (B, 1, 4, 2)" in out


def test_all_heads_are_trained_measured_and_drawn(arena, tmp_path):
    torch.manual_seed(0)
    result = train(config(arena), work_dir=tmp_path / "run")
    values = result.metrics["test"]
    for key in ("missed_rate", "identity_accuracy", "unique_mean_error_px"):
        assert key in values
    assert values["unique_missed_rate"] == 0
    assert {"snout", "topleft"} <= set(values["per_keypoint"])
    table = (tmp_path / "run/evaluation/per_keypoint.csv").read_text()
    assert "test,bottomright," in table
    log = (tmp_path / "run/metrics.csv").read_text().splitlines()[0]
    assert "identity.identity" in log
    assert "unique.heatmap" in log
    again = evaluate(None, result.checkpoint, work_dir=tmp_path / "again", device="cpu")
    assert again.metrics["test"]["unique_mean_error_px"] == pytest.approx(
        values["unique_mean_error_px"]
    )
