"""The pose that was found is the condition of the next look."""

from __future__ import annotations

import pytest
import torch

from dlcreg.errors import DataError
from dlcreg.solvers.evaluation import Evaluation
from dlcreg.solvers.prediction import next_condition, predict_batch
from dlcreg.structures import Batch, Instances, Meta, Poses

TARGET = torch.tensor([[10.0, 20.0], [30.0, 40.0]])
CPU = torch.device("cpu")


class Halfway(torch.nn.Module):
    """Finds each keypoint half the way from the condition to where it is."""

    def forward(self, images, mode, condition=None):
        pose = (condition[:, None, :, :2] + TARGET) / 2
        shape = pose.shape[:2]
        return found(pose, torch.full(shape, 0.9))


def found(keypoints, instance_scores, valid=None) -> Poses:
    shape = keypoints.shape[:3]
    valid = torch.ones(shape[:2], dtype=torch.bool) if valid is None else valid
    return Poses(keypoints, torch.full(shape, 0.8), instance_scores, valid)


def batch_of(condition) -> Batch:
    count = 2
    labels = Instances(
        keypoints=torch.zeros(count, 1, 2, 2),
        visibility=torch.zeros(count, 1, 2, dtype=torch.uint8),
        boxes=torch.zeros(count, 1, 4),
        areas=torch.ones(count, 1),
        valid=torch.ones(count, 1, dtype=torch.bool),
        ids=torch.zeros(count, 1, dtype=torch.int64),
    )
    matrix = torch.tensor([[2.0, 0, 5], [0, 2, -1]]).expand(count, 2, 3)
    images = torch.zeros(count, 3, 64, 64, dtype=torch.uint8)
    metas = [Meta(i, f"{i}.png", (99, 99)) for i in range(count)]
    return Batch(images, labels, matrix, metas, condition)


@pytest.mark.parametrize("refinements", [0, 1, 3])
def test_each_look_starts_from_the_pose_of_the_last_in_the_same_crop(refinements):
    batch = batch_of(torch.zeros(2, 2, 3))
    poses = predict_batch(Halfway(), batch, device=CPU, refinements=refinements)
    there = TARGET * (1 - 0.5 ** (refinements + 1)) * 2 + torch.tensor([5.0, -1.0])
    torch.testing.assert_close(poses.keypoints, there.expand(2, 1, 2, 2))


def test_of_several_animals_the_best_is_the_next_condition():
    keypoints = torch.arange(12.0).reshape(1, 3, 2, 2)
    keypoints[0, 1, 0] = torch.nan
    scores, valid = torch.tensor([[0.2, 0.7, 0.9]]), torch.tensor([[True, True, False]])
    condition = next_condition(torch.ones(1, 2, 3), found(keypoints, scores, valid))
    torch.testing.assert_close(condition, torch.tensor([[[0.0, 0, 0], [6, 7, 0.8]]]))


def test_where_nothing_was_found_the_condition_stays():
    condition = torch.rand(2, 2, 3)
    keypoints, scores = torch.zeros(2, 1, 2, 2), torch.ones(2, 1)
    valid = torch.tensor([[True], [False]])
    after = next_condition(condition, found(keypoints, scores, valid))
    assert torch.equal(after[1], condition[1])
    assert not after[0, :, :2].any()
    nobody = found(keypoints[:, :0], scores[:, :0])
    assert next_condition(condition, nobody) is condition


def test_refinements_without_a_condition_are_refused():
    with pytest.raises(DataError, match="these samples have none: leave"):
        predict_batch(Halfway(), batch_of(None), device=CPU, refinements=1)
    with pytest.raises(ValueError, match="refinements=-1: give 0 or more"):
        Evaluation(refinements=-1)
