"""Cross entropy over the places of a map."""

from __future__ import annotations

import pytest
import torch

from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.solvers.losses.spatial import SpatialCrossEntropyLoss
from dlcreg.structures import Instances


def test_it_equals_torchs_cross_entropy_of_one_place():
    output = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    place = torch.randint(0, 20, (2, 3))
    target = torch.nn.functional.one_hot(place, 20).double().view(2, 3, 4, 5)
    loss = SpatialCrossEntropyLoss()(output, target, torch.ones(2, 3, 1, 1))
    expected = torch.nn.functional.cross_entropy(output.flatten(0, 1).flatten(1), place.flatten())
    assert loss.item() == pytest.approx(expected.item())


def test_a_map_without_a_target_gives_no_gradient_and_does_not_dilute():
    output = torch.randn(1, 2, 4, 4, requires_grad=True)
    target = torch.zeros(1, 2, 4, 4)
    target[0, 0, 1, 2] = 3.0
    loss = SpatialCrossEntropyLoss()(output, target, torch.ones(1, 2, 1, 1))
    loss.backward()
    assert output.grad[0, 1].abs().max() == 0
    assert loss.item() == pytest.approx(-output[0, 0].flatten().log_softmax(0)[6].item())


def test_no_target_at_all_is_zero_with_a_gradient_of_zero():
    output = torch.randn(1, 2, 4, 4, requires_grad=True)
    target = torch.full((1, 2, 4, 4), torch.nan)
    loss = SpatialCrossEntropyLoss()(output, target, torch.zeros(1, 2, 1, 1))
    loss.backward()
    assert loss.item() == 0
    assert output.grad.abs().max() == 0


def test_places_of_weight_zero_cannot_be_chosen():
    output = torch.zeros(1, 1, 2, 2)
    target = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    weight = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    loss = SpatialCrossEntropyLoss()(output, target, weight)
    assert loss.item() == pytest.approx(torch.log(torch.tensor(2.0)).item())


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_what_it_learns_decodes_to_the_keypoint_with_a_likelihood_near_one(sigma):
    codec = GaussianHeatmap(sigma=sigma, stride=4, activation="softmax")
    instances = Instances(
        keypoints=torch.tensor([[[[61.3, 40.8]]]]),
        visibility=torch.full((1, 1, 1), 2, dtype=torch.uint8),
        boxes=torch.zeros(1, 1, 4),
        areas=torch.ones(1, 1),
        valid=torch.ones(1, 1, dtype=torch.bool),
        ids=torch.zeros(1, 1, dtype=torch.int64),
    )
    target, _ = codec.encode(instances, (96, 128))["heatmap"]
    poses = codec.decode({"heatmap": target.clamp(min=1e-8).log() + 5})
    torch.testing.assert_close(
        poses.keypoints[0, 0, 0], torch.tensor([61.3, 40.8]), atol=0.1, rtol=0
    )
    assert 0.9 < poses.scores.item() <= 1
