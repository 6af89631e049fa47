"""A small RTMPose on generated crops: it learns them, with the recipe of its configs."""

from __future__ import annotations

import pytest
import torch

from dlcreg.builder import build
from dlcreg.config import load_config
from dlcreg.data.demo import generate


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("rtmpose") / "project"
    return generate(root, frames=6, animals=2, size=(96, 128), video=False)


@pytest.fixture
def config(repo, project, tmp_path):
    """RTMPose-t, narrow, on crops of 64 x 64 that nothing blurs."""
    tree = load_config(repo / "configs" / "rtmpose" / "rtmpose_t_256x192.py")
    crop = dict(type="CropInstance", size=[64, 64])
    for part in ("train", "val", "test"):
        tree.set(f"data.{part}.project.root", str(project))
        tree.set(f"data.{part}.transform", [crop])
    tree.set("model.backbone", dict(deepen_factor=0.1, widen_factor=0.125))
    tree.set("model.head", dict(hidden=64, key_width=32))
    tree.set("data.batch_size", 8)
    tree.set("data.num_workers", 0)
    tree.set("solver", dict(verbose=False, tensorboard=False))
    tree.set("solver.hooks.0.transform", [crop])
    tree.set("work_dir", str(tmp_path / "run"))
    return tree


def test_it_learns_crops_by_heart(config):
    graph = build(config)
    model = graph.model
    batch = next(graph.data.train_loader(0).epoch(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    model.train()
    for _ in range(100):  # after 60 it depends on the seed whether all crops are known
        optimizer.zero_grad()
        losses = model(batch.images, mode="loss", instances=batch.instances)
        assert list(losses) == ["x", "y"]
        sum(losses.values()).backward()
        optimizer.step()
    model.eval()
    with torch.inference_mode():
        poses = model(batch.images, mode="predict")
    known = batch.instances.visibility > 0
    error = (poses.keypoints - batch.instances.keypoints).norm(dim=-1)[known]
    assert error.mean() < 0.5
    assert poses.scores[known].mean() > 0.9


def test_a_short_run_keeps_the_recipe(config):
    config.set("solver.max_epochs", 2)
    solver = build(config).solver
    warm_up, cosine = solver.schedules.schedulers
    assert (warm_up.end, cosine.begin) == (1000, 0)
    decayed = {group["weight_decay"] for group in solver.optimizer.param_groups}
    assert decayed == {0.0}  # t and s have none
    assert solver.fit().is_file()
