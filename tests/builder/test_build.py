"""A config becomes a model, data and a solver that work together."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from dlcreg.builder import (
    build,
    build_data,
    build_dataset,
    build_evaluation,
    build_model,
    build_solver,
    check,
    filled,
)
from dlcreg.config import load_config
from dlcreg.wiring import parts_of

MODEL = dict(
    backbone=dict(type="ResNet", depth=18),
    neck=dict(type="IdentityNeck"),
    head=dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap"),
        losses=dict(heatmap=dict(type="MSELoss")),
        deconv_channels=[16],
    ),
)


def test_a_backbone_a_neck_and_a_head_make_a_module_that_runs_both_ways():
    model = build_model(MODEL, num_keypoints=5)
    assert isinstance(model, nn.Module)
    outputs = model(torch.zeros(2, 3, 64, 64, dtype=torch.uint8), mode="tensor")
    assert outputs["heatmap"].shape == (2, 5, 4, 4)
    outputs["heatmap"].sum().backward()
    assert model.backbone.conv1.weight.grad is not None


def test_no_part_is_left_on_the_meta_device():
    model = build_model(MODEL, num_keypoints=5)
    tensors = [*model.parameters(), *model.buffers()]
    assert {tensor.device.type for tensor in tensors} == {"cpu"}


def test_the_graph_of_a_config_fits_together(folder):
    graph = build("config.py")
    names = graph.data.info.keypoint_names
    assert graph.model.head.num_keypoints == len(names)
    assert graph.model.flip_pairs == graph.data.info.flip_pairs
    batch = next(iter(graph.data.train_loader(0).epoch(0)))
    losses = graph.model(batch.images, mode="loss", instances=batch.instances)
    assert all(torch.isfinite(value) for value in losses.values())
    assert graph.solver.model is graph.model
    assert graph.config.filename.name == "config.py"


def test_the_split_and_the_seed_of_the_config_reach_every_data_set(folder):
    tree = load_config("config.py", ["solver.seed=7"])
    data = build_data(tree)
    assert len(data.train) + len(data.val) + len(data.test) == 12
    assert len(data.val) == 3
    assert {dataset.seed for dataset in (data.train, data.val, data.test)} == {7}
    kept = load_config(tree, ["data.train.seed=3", "data.split.seed=7"])
    assert build_data(kept).train.seed == 3


def test_a_config_from_the_command_line_is_built_like_one_from_a_file(folder):
    tree = load_config("config.py", ["model.head.deconv_channels=[16, 16]", "data.batch_size=1"])
    graph = build(tree)
    assert len(graph.model.head.deconv_layers) == 6
    assert graph.data.batch_size == 1


def test_the_same_seed_gives_the_same_weights_and_another_one_others(folder):
    def weight(seed):
        return build(load_config("config.py", [f"solver.seed={seed}"])).model.backbone.conv1.weight

    assert torch.equal(weight(1), weight(1))
    assert not torch.equal(weight(1), weight(2))


def test_building_leaves_the_random_numbers_of_the_caller_alone(folder):
    def draw():
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()

    def seed():
        torch.manual_seed(0)
        np.random.seed(0)
        random.seed(0)

    seed()
    expected = draw()
    seed()
    check("config.py")
    assert draw() == expected


def test_a_check_writes_nothing(folder):
    before = sorted(path.name for path in folder.rglob("*"))
    assert check("config.py") == []
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_check_without_data_tries_the_model_on_stand_ins(folder):
    tree = load_config("config.py", ["data.train.project=nowhere"])
    assert check(tree, open_data=False) == []
    bad = load_config(tree, ["model.head.codec.sigma=-1"])
    assert [problem.path for problem in check(bad, open_data=False)] == ["model.head.codec.sigma"]


@pytest.mark.parametrize("mode", ["train", "val", "test"])
def test_one_data_set_of_a_config_is_built(folder, mode):
    dataset = build_dataset("config.py", mode)
    assert dataset.mode == mode
    assert dataset.split.train


def test_a_data_set_alone_is_built(folder):
    cfg = dict(type="PoseDataset", project="project", transform=[dict(type="Flip", p=1.0)])
    dataset = build_dataset(cfg, seed=3)
    assert dataset.seed == 3
    assert dataset[0].image.shape == (64, 96, 3)


def test_a_model_of_a_whole_config_takes_its_keypoints_from_the_data(folder):
    assert build_model("config.py").head.num_keypoints == 6
    assert build_model("config.py", num_keypoints=2).head.num_keypoints == 2


def test_a_solver_takes_a_model_and_data_from_elsewhere(folder, tmp_path):
    data = build_data("config.py")
    model = build_model(MODEL, **data.info.wiring())
    solver = build_solver("config.py", model, data, work_dir=tmp_path / "run")
    assert solver.model is model
    assert solver.work_dir == tmp_path / "run"
    assert build_solver("config.py").model is not model


def test_the_evaluation_borrows_the_metrics_of_the_solver(folder):
    settings = build_evaluation("config.py")
    assert [type(metric).__name__ for metric in settings.metrics] == ["PixelError"]
    tree = load_config("config.py", ["evaluation=dict(metrics=[dict(type='AUC')])"])
    assert [type(metric).__name__ for metric in build_evaluation(tree).metrics] == ["AUC"]


def test_a_checkpoint_will_know_config_parts_and_data(folder):
    graph = build("config.py")
    metadata = graph.solver.metadata
    assert metadata["config"]["model"]["backbone"]["depth"] == 18
    assert metadata["info"]["keypoint_names"] == list(graph.data.info.keypoint_names)
    named = {(part["registry"], part["name"]) for part in metadata["provenance"]}
    assert named >= {
        ("models", "PoseModel"),
        ("backbones", "ResNet"),
        ("codecs", "GaussianHeatmap"),
        ("losses", "MSELoss"),
        ("datasets", "PoseDataset"),
        ("transforms", "Affine"),
        ("optimizers", "AdamW"),
        ("schedulers", "MultiStepLR"),
        ("metrics", "PixelError"),
    }
    assert {p["version"] for p in metadata["provenance"] if p["distribution"] == "dlcreg"} == {
        part.version for part in parts_of(graph.model)
    }


def test_a_filled_config_shows_every_default_and_means_the_same(folder):
    whole = filled("config.py")
    assert whole["model"]["type"] == "PoseModel"
    assert whole["model"]["head"]["codec"]["locref_std"] is None
    assert whole["solver"]["optimizer"]["betas"] == (0.9, 0.999)
    assert whole["data"]["train"]["transform"][0]["p"] == 0.5
    assert whole["evaluation"]["pcutoff"] == 0.6
    assert "in_channels" not in whole["model"]["neck"]
    assert check(whole) == []
    assert filled(whole) == whole
    (folder / "whole.py").write_text(load_config(whole).dump())
    assert filled("whole.py") == whole

    plain, full = build("config.py"), build("whole.py")
    assert full.data.train.images == plain.data.train.images
    assert repr(full.model) == repr(plain.model)
    ends = [[s.end for s in graph.solver.schedules.schedulers] for graph in (plain, full)]
    assert ends[0] == ends[1]


DESIGN = """\
model = dict(
    type='PoseModel',
    backbone=dict(type='HRNet', width=32, weights=None),
    neck=dict(type='IdentityNeck'),
    head=dict(type='HeatmapHead',
              codec=dict(type='GaussianHeatmap', sigma=2.0, locref_std=7.2801),
              losses=dict(heatmap=dict(type='MSELoss'),
                          locref=dict(type='HuberLoss', weight=0.05))))
_project = dict(root='project')
data = dict(
    train=dict(type='PoseDataset', project=_project, mode='train', transform=[dict(type='Flip')]),
    val=dict(type='PoseDataset', project=_project, mode='val', transform=[]),
    test=dict(type='PoseDataset', project=_project, mode='test', transform=[]),
    batch_size=8, num_workers=2)
solver = dict(
    optimizer=dict(type='AdamW', lr=5e-4),
    schedule=[dict(type='MultiStepLR', milestones=[90, 120])],
    max_epochs=200, metrics=[dict(type='PixelError'), dict(type='CocoOKS')], precision='fp32',
    seed=42)
"""


def test_the_three_languages_build_the_same_graph(folder):
    (folder / "design.py").write_text(DESIGN)
    tree = load_config("design.py")
    (folder / "design.json").write_text(json.dumps(tree.to_dict()))
    (folder / "design.yaml").write_text(yaml.safe_dump(tree.to_dict(), sort_keys=False))
    for name in ("design.py", "design.json", "design.yaml"):
        assert check(name) == [], name
    model = build_model("design.yaml")
    assert sum(p.numel() for p in model.parameters()) > 28e6
    assert model.head.codec.stride == 4
