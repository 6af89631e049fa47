"""A conditioned model on the poses that another one has found."""

from __future__ import annotations

import json

import pytest

from dlcreg.apis import evaluate, train
from dlcreg.data.project import Project


@pytest.fixture
def config(two_animals, tmp_path):
    """A small conditioned model, and as proposals of the test part the labels themselves."""
    found = tmp_path / "found.json"
    found.write_text(json.dumps(Project(two_animals).to_coco()))
    crop = [dict(type="ConditionBox", margin=8), dict(type="CropInstance", size=(32, 32))]
    steps = [dict(type="GenerativeCondition", p=0), *crop]
    part = dict(
        type="PoseDataset", project=dict(root=str(two_animals)), view="instance", transform=steps
    )
    return dict(
        model=dict(
            backbone=dict(
                type="PreNet",
                backbone=dict(type="ResNet", depth=18, out_indices=[0]),
                encoder=dict(type="StackedKeypoints"),
                channels=4,
            ),
            head=dict(
                type="HeatmapHead",
                codec=dict(type="GaussianHeatmap"),
                losses=dict(heatmap=dict(type="MSELoss")),
            ),
        ),
        data=dict(
            train=dict(**part, mode="train", proposals=str(found), unmatched="keep"),
            test=dict(**part, mode="test", proposals=str(found)),
            split=dict(train_fraction=0.5),
            batch_size=4,
        ),
        solver=dict(
            optimizer=dict(type="SGD", lr=0.01),
            max_epochs=1,
            metrics=[dict(type="PixelError")],
            tensorboard=False,
            verbose=False,
        ),
        evaluation=dict(pictures=0, refinements=1),
    )


def test_what_was_proposed_is_measured_beside_what_was_made_of_it(config, tmp_path):
    result = train(config, work_dir=tmp_path / "run")
    assert set(result.metrics) == {"train", "train_proposals", "test", "test_proposals"}
    assert result.metrics["test_proposals"]["mean_error_px"] == pytest.approx(0, abs=1e-3)
    assert result.metrics["test"]["mean_error_px"] > 0
    again = evaluate(None, result.checkpoint, work_dir=tmp_path / "again")
    for part, values in again.metrics.items():
        assert values["mean_error_px"] == result.metrics[part]["mean_error_px"]
    plain = evaluate(
        None,
        result.checkpoint,
        work_dir=tmp_path / "plain",
        options=["data.test.proposals=None", "evaluation.refinements=0"],
        proposals=config["data"]["test"]["proposals"],
    )
    parts = {"test", "test_detected", "test_proposals"}
    assert parts <= set(plain.metrics)
    assert plain.metrics["test_proposals"]["mean_error_px"] == pytest.approx(0, abs=1e-3)
