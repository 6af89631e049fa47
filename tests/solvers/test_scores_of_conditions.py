"""Scores of poses that a condition led to, as DeepLabCut gives them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcreg.solvers.evaluation import Evaluation
from dlcreg.solvers.proposed import of_proposals
from dlcreg.structures import Batch, Instances, Meta, Poses


def batch(condition: torch.Tensor) -> Batch:
    count = len(condition)
    labels = Instances(
        keypoints=torch.zeros(count, 1, 2, 2),
        visibility=torch.zeros(count, 1, 2, dtype=torch.uint8),
        boxes=torch.tensor([[[0.0, 0, 4, 4]]]).expand(count, 1, 4),
        areas=torch.ones(count, 1),
        valid=torch.ones(count, 1, dtype=torch.bool),
        ids=torch.full((count, 1), -1),
    )
    matrix = torch.eye(2, 3).expand(count, 2, 3)
    images = torch.zeros(count, 3, 4, 4, dtype=torch.uint8)
    return Batch(images, labels, matrix, [Meta(0, "", (4, 4))] * count, condition)


def poses(scores: list[list[float]]) -> Poses:
    likely = torch.tensor(scores)[:, None]
    valid = torch.ones(len(scores), 1, dtype=torch.bool)
    return Poses(torch.zeros(len(scores), 1, 2, 2), likely, likely.mean(dim=-1), valid)


def test_all_keypoints_have_the_score_of_condition_and_animal():
    condition = torch.tensor([[[1.0, 1, 0.8], [2, 2, 0.4]]])
    found = of_proposals(batch(condition), poses([[0.9, 0.1]]), 0.2, "deeplabcut")
    assert np.allclose(found.scores, 0.6 * 0.9)  # 0.1 is not likely


def test_an_unlikely_condition_leads_to_no_animal():
    condition = torch.tensor([[[1.0, 1, 0.04], [2, 2, 0.01]], [[1.0, 1, 0.06], [2, 2, 0.0]]])
    found = of_proposals(batch(condition), poses([[0.9, 0.9]] * 2), 0.2, "deeplabcut")
    assert found.valid.flatten().tolist() == [False, True]


def test_by_default_scores_are_the_model_s():
    condition = torch.tensor([[[1.0, 1, 0.04], [2, 2, 0.01]]])
    found = of_proposals(batch(condition), poses([[0.9, 0.1]]), 0.2)
    assert np.allclose(found.scores, [[[0.9, 0.1]]])
    with pytest.raises(ValueError, match="keypoint_scores must be 'model' or 'deeplabcut'"):
        Evaluation(keypoint_scores="mine")
