"""Models that look at a condition, and data that gives one or none: told before the first batch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcreg import Backbone, ConfigError
from dlcreg.builder import build_model, check
from dlcreg.builder.plan import Plan
from dlcreg.config import load_config

SMALL = """\
_base_ = 'runtime.py'
model = dict(
    backbone={backbone},
    head=dict(
        type='HeatmapHead',
        codec=dict(type='GaussianHeatmap'),
        losses=dict(heatmap=dict(type='MSELoss')),
    ),
)
_data = dict(type='PoseDataset', project=dict(root='project'), view='instance')
_crop = dict(type='CropInstance', size=(64, 64))
data = dict(
    train=dict(**_data, transform=[{train}_crop]),
    val=dict(**_data, mode='val', transform=[{val}_crop]),
    split=dict(train_fraction=0.8, val_fraction=0.25),
    batch_size=2,
)
"""
COAM = (
    "dict(type='CoAM', backbone=dict(type='HRNet', width=4), encoder=dict(type='StackedKeypoints'))"
)
PLAIN = "dict(type='HRNet', width=4)"
MADE = "dict(type='GenerativeCondition'), "


@pytest.fixture
def written(folder):
    """Write a config of a backbone and of what comes before the crop; return its path."""

    def write(backbone: str, train: str = "", val: str = ""):
        path = folder / "conditioned.py"
        path.write_text(SMALL.format(backbone=backbone, train=train, val=val))
        return path

    return write


def test_data_with_conditions_suit_a_conditioned_backbone(written):
    assert check(written(COAM, MADE, MADE)) == []


def test_without_data_a_condition_stands_in(written):
    path = written(COAM, MADE, MADE)
    assert check(path, open_data=False) == []
    assert check(written(COAM), open_data=False) == []


def test_data_without_conditions_are_told_with_their_place(written):
    problems = check(written(COAM, MADE))
    assert [problem.path for problem in problems] == ["data.val"]
    assert "gives no condition, and CoAM (model.backbone) needs one" in problems[0].message
    assert (problems[0].location.file.endswith("conditioned.py"), problems[0].location.line) == (
        True,
        14,
    )
    assert len(check(written(COAM))) == 2


def test_conditions_that_nobody_takes_are_told(written):
    problems = check(written(PLAIN, MADE, MADE))
    assert [problem.path for problem in problems] == ["data.train.transform", "data.val.transform"]
    assert "which HRNet (model.backbone) does not take" in problems[0].message
    assert problems[0].location.line == 13


def test_conditions_that_come_with_proposals_may_be_left_alone(written):
    tree = load_config(written(PLAIN, MADE, MADE))
    plan = Plan(tree).check().open_data()
    for part in ("train", "val"):
        tree.set(f"data.{part}.proposals", "found.json")
    plan.trace_model()
    assert plan.problems == []


class Undeclared(Backbone):
    """A conditioned backbone of another package that says nothing of its maps.

    Args:
        num_keypoints: keypoints of the condition.
    """

    def __init__(self, num_keypoints: int) -> None:
        super().__init__()
        self.images = nn.Conv2d(3, 8, 4, stride=4)
        self.condition = nn.Linear(3 * num_keypoints, 8)

    def forward(self, images, condition):
        return (self.images(images) + self.condition(condition.flatten(1))[..., None, None],)


def test_maps_of_a_conditioned_backbone_that_says_nothing_of_them_are_measured():
    model = build_model(
        dict(
            backbone=dict(type=Undeclared),
            head=dict(
                type="HeatmapHead",
                codec=dict(type="GaussianHeatmap"),
                losses=dict(heatmap=dict(type="MSELoss")),
            ),
        ),
        num_keypoints=5,
    )
    outputs = model(torch.zeros(2, 3, 64, 64), condition=torch.zeros(2, 5, 3))
    assert outputs["heatmap"].shape == (2, 5, 16, 16)


def test_a_part_that_refuses_the_backbone_inside_is_told_with_its_place(written):
    path = written(COAM.replace("dict(type='HRNet', width=4)", "dict(type='ResNet')"), MADE, MADE)
    with pytest.raises(ConfigError, match=r"model\.backbone\.backbone: CoAM: backbone must be"):
        build_model(load_config(path), num_keypoints=3)
