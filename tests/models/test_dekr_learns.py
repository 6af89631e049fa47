"""DEKR on a small network: it learns to find several animals in an image."""

from __future__ import annotations

import torch

from dlcreg import build_model
from dlcreg.data import PoseDataset
from dlcreg.data.batching import collate
from dlcreg.data.demo import generate

MODEL = dict(
    backbone=dict(type="ResNet", depth=18, out_indices=[0, 1, 2]),
    neck=dict(type="FPN", channels=32),
    head=dict(
        type="DEKRHead",
        heatmap_channels=16,
        offset_channels=4,
        codec=dict(type="DEKROffsets"),
        losses=dict(
            heatmap=dict(type="MSELoss"), offset=dict(type="HuberLoss", weight=0.27, delta=1 / 9)
        ),
    ),
)


def test_a_small_dekr_learns_to_find_both_animals_of_each_frame(tmp_path):
    root = generate(tmp_path / "p", frames=3, animals=2, size=(64, 96), video=False)
    data = PoseDataset(project=str(root), mode="train")
    batch = collate([data[index] for index in range(len(data))])
    torch.manual_seed(0)
    model = build_model(MODEL, **data.info.wiring())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        losses = model(batch.images, mode="loss", instances=batch.instances)
        sum(losses.values()).backward()
        optimizer.step()
    with torch.no_grad():
        for _ in range(20):  # the running statistics catch up with the weights
            model(batch.images)
        poses = model.eval()(batch.images, mode="predict")
    known = (batch.instances.visibility > 0)[:, :, None]
    apart = (poses.keypoints[:, None] - batch.instances.keypoints[:, :, None]).norm(dim=-1)
    apart = apart.masked_fill(~known, 0.0).sum(dim=-1) / known.sum(dim=-1)
    assert poses.valid.all()
    assert (apart.argmin(dim=-1).sort(dim=-1).values == torch.tensor([0, 1])).all()
    assert apart.amin(dim=-1).mean() < 3
