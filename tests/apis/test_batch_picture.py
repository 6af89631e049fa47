"""Targets of any kind of codec can be looked at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dlcreg.apis.batch_picture import targets_of
from dlcreg.builder import build_model
from dlcreg.contracts import Codec, Head
from dlcreg.structures import Batch, Instances, Meta


class Coordinates(Codec):
    """Targets that are no maps."""

    def output_channels(self, num_keypoints):
        return {"coordinates": num_keypoints}

    def encode(self, instances, size):
        target = instances.keypoints[:, 0]
        return {"coordinates": (target, torch.ones_like(target))}

    def decode(self, outputs, size):
        raise NotImplementedError


class Regression(Head):
    def __init__(self, codec: Codec) -> None:
        super().__init__(codec, {})

    def forward(self, features):
        return {}


@pytest.fixture
def batch():
    """Return two images of 48 x 80 with a keypoint labelled and one not."""
    keypoints = torch.tensor([[[[40.0, 16.0], [0.0, 0.0]]]]).repeat(2, 1, 1, 1)
    instances = Instances(
        keypoints=keypoints,
        visibility=torch.tensor([[[2, 0]]], dtype=torch.uint8).repeat(2, 1, 1),
        boxes=torch.zeros(2, 1, 4),
        areas=torch.ones(2, 1),
        valid=torch.ones(2, 1, dtype=torch.bool),
        ids=torch.zeros(2, 1, dtype=torch.int64),
    )
    images = torch.zeros(2, 3, 48, 80, dtype=torch.uint8)
    return Batch(images, instances, torch.zeros(2, 2, 3), [Meta(0, "a/b.png", (48, 80))] * 2)


def test_a_map_has_its_peak_at_the_keypoint_and_the_size_of_the_image(batch):
    head = dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap", locref_std=7.0),
        losses=dict(heatmap=dict(type="MSELoss"), locref=dict(type="HuberLoss")),
    )
    model = build_model(dict(backbone=dict(type="ResNet", depth=18), head=head), num_keypoints=2)
    heatmap, locref = targets_of(model, batch)
    assert (heatmap.name, locref.name) == ("heatmap", "locref")
    assert heatmap.maps.shape == (2, 48, 80)
    rows, columns = np.nonzero(heatmap.maps[0] == heatmap.maps.max())
    assert abs(columns.mean() - 40) <= 32  # one cell is 32 pixels
    assert abs(rows.mean() - 16) <= 32
    assert heatmap.maps.max() == 1
    assert heatmap.words == "(2, 2, 2, 3)"


def test_targets_that_are_no_maps_have_a_shape_alone(batch):
    (target,) = targets_of(nn.Sequential(Regression(Coordinates())), batch)
    assert (target.name, target.maps, target.words) == ("coordinates", None, "(2, 2, 2)")


def test_several_heads_are_told_apart(batch):
    heads = nn.ModuleDict({"a": Regression(Coordinates()), "b": Regression(Coordinates())})
    names = [target.name for target in targets_of(heads, batch)]
    assert names == ["a.coordinates", "b.coordinates"]
