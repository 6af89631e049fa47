"""What a keypoint is found by can be asked of any model that tells its attention, and drawn."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from dlcreg.apis.attention import attention_of
from dlcreg.apis.attention_picture import half_within, window
from dlcreg.apis.draw import draw_attention
from dlcreg.builder import build_data, build_model
from dlcreg.errors import CheckpointError, DataError, DlcregError
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.structures import Poses


class Looking(nn.Module):
    """A part that tells what it attends to: all of it one cell."""

    def forward(self, features):
        return features

    def attention_maps(self, inputs, points):
        maps = inputs.new_zeros(2, 1, points.shape[1], 3, *inputs.shape[2:])
        maps[..., 1, 2] = 1
        return maps


class Model(nn.Module):
    """Each keypoint's likelihood is the value of one cell; the second animal is the surer one."""

    size_divisor = 8

    def __init__(self, found: bool = True) -> None:
        super().__init__()
        self.part, self.found = Looking(), found

    def forward(self, images, mode):
        features = self.part(nn.functional.avg_pool2d(images, 8, ceil_mode=True))
        scores = torch.stack([features[0, 0, 0, 0], features[0, 1, 2, 3]])  # of two keypoints
        points = torch.tensor([[4.0, 4.0], [28.0, 20.0]])
        return Poses(
            torch.stack([points * 0, points])[None],
            torch.stack([scores * 0, scores])[None],
            torch.tensor([[0.1, 0.9]]),
            torch.full((1, 2), self.found),
        )


@pytest.fixture
def config(demo_project):
    train = dict(type="PoseDataset", project=str(demo_project))
    return dict(
        model=dict(
            backbone=dict(type="ResNet", depth=18, out_indices=(1,)),
            neck=dict(type="TransformerNeck", channels=8, num_layers=2, num_heads=2),
            head=dict(
                type="HeatmapHead",
                codec=dict(type="DarkHeatmap"),
                losses=dict(heatmap=dict(type="MSELoss")),
            ),
        ),
        data=dict(
            train=train, test=dict(train, mode="test", transform=dict(type="Resize", scale=0.7))
        ),
        solver=dict(optimizer=dict(type="SGD", lr=0.1), max_epochs=1, device="cpu"),
    )


@pytest.fixture
def image(demo_project):
    return next(demo_project.glob("labeled-data/*/*.png"))


def test_effects_lie_where_the_likelihood_comes_from():
    found = attention_of(Model(), torch.rand(1, 3, 30, 40))
    effect = found.effect > 0
    assert np.argwhere(effect).tolist() == [[0, 0, 0], [1, 2, 3]]
    assert found.keypoints.tolist() == [[4, 4], [28, 20]]  # of the surer animal


def test_maps_are_the_part_s_own_with_the_size_that_they_cover():
    found = attention_of(Model(), torch.rand(1, 3, 30, 40))
    assert found.maps.shape == (2, 2, 4, 5)  # layers, keypoints, rows, columns
    assert (np.argwhere(found.maps)[:, 2:] == [1, 2]).all()
    assert (found.size, found.part) == ((32, 40), "Looking")


def test_effects_are_computed_for_those_alone_that_were_asked_for():
    found = attention_of(Model(), torch.rand(1, 3, 32, 40), [1])
    assert found.effect[0].max() == 0 < found.effect[1].max()


def test_a_model_that_tells_no_attention_is_named_by_its_parts():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
    message = r"no part of this model tells its attention \(Conv2d\).*attention_maps\(inputs"
    with pytest.raises(DlcregError, match=message):
        attention_of(model, torch.zeros(1, 3, 8, 8))


def test_an_image_without_an_animal_says_so():
    with pytest.raises(DlcregError, match="finds no animal in this image"):
        attention_of(Model(found=False), torch.zeros(1, 3, 32, 40))


def test_half_of_a_map_within_how_many_pixels():
    values = np.zeros((4, 6))
    values[2, 3], values[0, 0] = 0.6, 0.4
    cell = (8.0, 8.0)
    there = np.array([27.5, 19.5])  # the middle of that cell
    assert half_within(values, there, cell) == 0
    assert half_within(values, there - [8, 0], cell) == 8
    values[0, 0] = 0.7
    assert half_within(values, there, cell) == pytest.approx(np.hypot(24, 16))


def test_the_view_holds_all_that_is_bright_and_the_keypoints():
    maps = np.zeros((2, 30, 40))
    maps[0, 4, 5], maps[1, 20, 6] = 1, 0.2  # in pixels (40, 32) to (48, 40), (48, 160) to (56, 168)
    left, top, right, bottom = window(maps, np.array([[70.0, 90.0]]), (240, 320), (240, 316))
    assert left < 40 < 71 < right < 160
    assert top < 32 < 168 < bottom
    assert right - left >= 316 / 3 - 1e-9
    assert left >= -0.5 <= top
    nothing = window(np.ones((1, 3, 4)), np.array([[2.0, 2.0]]), (24, 32), (24, 32))
    assert nothing[:2] == (-0.5, -0.5)


def test_a_config_s_model_is_drawn_with_the_transforms_of_the_test(config, image, tmp_path):
    out = draw_attention(config, image, tmp_path / "a.png", keypoints=["tailbase", "snout"])
    with Image.open(out) as picture:
        width, height = picture.size
    assert width > height > 100  # two rows of two layers and the effect


def test_a_checkpoint_is_drawn_without_its_data(config, image, tmp_path, monkeypatch):
    data = build_data(config)
    model = build_model(config, **data.info.wiring())
    config["data"]["train"]["project"] = config["data"]["test"]["project"] = "gone"
    state = dict(config=config, info=asdict(data.info), model=model.state_dict())
    path = checkpoints.save(tmp_path / "last.pth", state)
    monkeypatch.chdir(tmp_path)
    assert draw_attention(path, image, keypoints=["spine"]).name == f"{image.stem}_attention.png"
    assert (tmp_path / f"{image.stem}_attention.png").is_file()


def test_a_checkpoint_that_says_too_little_is_refused(config, image, tmp_path):
    path = checkpoints.save(tmp_path / "weights.pth", dict(model={}))
    with pytest.raises(CheckpointError, match=r"weights\.pth carries no config"):
        draw_attention(path, image)


def test_a_misspelt_keypoint_is_told_with_the_nearest(config, image):
    with pytest.raises(DataError, match=r"no keypoint 'snut'\. Did you mean 'snout'"):
        draw_attention(config, image, keypoints=["snut"])


def test_a_box_without_an_extent_is_refused(config, image):
    with pytest.raises(DataError, match="a box is x, y, width, height with sides above 0"):
        draw_attention(config, image, box=(1, 2, 0, 5))
