"""Targets of any kind of codec can be looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from torch import nn

from dlcreg.analysis.colours import ANIMALS
from dlcreg.apis.batch_picture import Target, _palette, targets_of
from dlcreg.builder import build_model
from dlcreg.contracts import Codec, Head
from dlcreg.structures import Batch, DatasetInfo, Instances, Meta

INFO = DatasetInfo(("nose", "spine", "tail"), individuals=("a", "b"), identified=True)


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


def test_a_cell_says_which_channel_it_is_of_where_a_target_has_no_direction(batch):
    batch.instances.keypoints[:, 0, 1] = torch.tensor([72.0, 40.0])
    batch.instances.visibility[:] = 2
    head = dict(
        type="HeatmapHead",
        codec=dict(type="PlateauHeatmap", radius=8.0),
        losses=dict(heatmap=dict(type="BCELoss"), locref=dict(type="HuberLoss")),
    )
    backbone = dict(type="ResNet", depth=18, output_stride=8)
    model = build_model(dict(backbone=backbone, head=head), num_keypoints=2)
    heatmap, locref = targets_of(model, batch)
    assert heatmap.channels == 2
    assert [int(heatmap.strongest[0, y, x]) for x, y in ((40, 16), (72, 40))] == [0, 1]
    assert locref.strongest is None


def test_targets_that_are_no_maps_have_a_shape_alone(batch):
    (target,) = targets_of(nn.Sequential(Regression(Coordinates())), batch)
    assert (target.name, target.maps, target.words) == ("coordinates", None, "(2, 2, 2)")


def test_several_heads_are_told_apart(batch):
    heads = nn.ModuleDict({"a": Regression(Coordinates()), "b": Regression(Coordinates())})
    names = [target.name for target in targets_of(heads, batch)]
    assert names == ["a.coordinates", "b.coordinates"]


@pytest.mark.parametrize(
    ("channels", "info", "expected"),
    [
        (3, INFO, "keypoints"),
        (2, INFO, "individuals"),
        (4, INFO, "keypoints and centres"),
        (2, replace(INFO, identified=False), None),  # nobody knows who is who
        (12, INFO, None),
        (3, replace(INFO, individuals=("a", "b", "c")), None),  # keypoints or individuals
    ],
)
def test_maps_have_the_colours_of_what_their_channels_are_of(channels, info, expected):
    colours = np.linspace(0.1, 0.4, 12).reshape(3, 4)
    target = Target("maps", np.zeros((1, 2, 2)), "", channels, np.zeros((1, 2, 2), int))
    palette = _palette(target, info, colours)
    known = {
        "keypoints": colours[:, :3].tolist(),
        "keypoints and centres": [*colours[:, :3].tolist(), [1, 1, 1]],
        "individuals": [list(to_rgb(name)) for name in ANIMALS[:2]],
    }
    assert (None if palette is None else palette.tolist()) == known.get(expected)
    assert _palette(replace(target, strongest=None), info, colours) is None
