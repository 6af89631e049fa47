"""DEKR from its training to `dlcreg test` at several scales."""

from __future__ import annotations

import json

import pytest

from dlcreg.apis import train
from dlcreg.cli import main
from dlcreg.solvers import checkpoint


def config(root, head):
    part = dict(type="PoseDataset", project=dict(root=str(root)))
    return dict(
        model=dict(
            backbone=dict(type="ResNet", depth=18, out_indices=[0, 1]),
            neck=dict(type="FPN", channels=16),
            head=head,
        ),
        data=dict(
            train=dict(part, mode="train"),
            test=dict(part, mode="test"),
            split=dict(train_fraction=0.5),
            batch_size=2,
        ),
        solver=dict(
            optimizer=dict(type="Adam", lr=3e-3),
            max_epochs=4,
            metrics=[dict(type="PixelError")],
            tensorboard=False,
        ),
        evaluation=dict(pictures=0),
    )


DEKR = dict(
    type="DEKRHead",
    heatmap_channels=8,
    offset_channels=2,
    codec=dict(type="DEKROffsets", rescore=True, threshold=1e-3),
    losses=dict(heatmap=dict(type="MSELoss"), offset=dict(type="HuberLoss")),
)


@pytest.fixture(scope="module")
def trained(two_animals, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dekr")
    return train(config(two_animals, DEKR), work_dir=folder, device="cpu")


def test_rescoring_is_learnt_at_the_end_of_a_training(trained):
    state = checkpoint.load(trained.checkpoint)["model"]
    assert state["head.codec.rescorer.l3.weight"].abs().sum() > 0  # zeros until it has learnt
    assert "rescoring" in (trained.work_dir / "train.log").read_text()


def test_a_checkpoint_is_tested_at_several_scales(trained, tmp_path):
    scales = "evaluation.scales=[0.5, 1, 2]"
    one, three = tmp_path / "one", tmp_path / "three"
    base = ["test", str(trained.checkpoint), "--device", "cpu", "--work-dir"]
    assert main([*base, str(one)]) == 0
    assert main([*base, str(three), "--cfg-options", scales]) == 0
    found = [json.loads((p / "evaluation" / "metrics.json").read_text()) for p in (one, three)]
    assert found[0]["test"].keys() == found[1]["test"].keys()
    assert found[0] != found[1]
