"""It is the likelihood of the paper, its flow learns, and what has no label teaches nothing."""

import math

import pytest
import torch
from dlcreg_rle.loss import RLELoss
from torch.distributions import Laplace, Normal


def inputs(count=40):
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(count, 3, 4, generator=generator)
    target = 0.3 * torch.randn(count, 3, 2, generator=generator)
    return output, target, torch.ones(count, 3, 1)


@pytest.mark.parametrize(("base", "density"), [("laplace", Laplace), ("gaussian", Normal)])
def test_it_is_the_residual_log_likelihood(base, density):
    loss = RLELoss(base=base)
    output, target, weight = inputs()
    sigma = output[..., 2:].sigmoid() + 1e-4  # the least sigma
    error = (output[..., :2] - target) / sigma
    residual = density(0.0, 1.0).log_prob(error).sum(-1)
    expected = sigma.log().sum(-1) - residual - loss.flow.log_prob(error.flatten(0, 1)).view(-1, 3)
    torch.testing.assert_close(loss(output, target, weight), expected.mean(), rtol=1e-4, atol=1e-4)


def test_keypoints_without_a_label_give_no_gradient_to_output_and_flow():
    loss = RLELoss()
    output, target, weight = inputs()
    output.requires_grad_()
    weight[:, 1] = 0
    target[:, 1] = float("nan")
    loss(output, target, weight).backward()
    assert not output.grad[:, 1].any()
    assert output.grad[:, [0, 2]].all()
    there = [p.grad.clone() for p in loss.flow.parameters()]
    assert all(gradient.isfinite().all() for gradient in there)
    loss.zero_grad()
    loss(output[:, [0, 2]], target[:, [0, 2]], weight[:, [0, 2]]).backward()
    for one, other in zip(there, loss.flow.parameters(), strict=True):
        torch.testing.assert_close(one, other.grad)


def test_a_batch_without_a_label_is_0_and_teaches_nothing():
    loss = RLELoss()
    output, target, weight = inputs()
    value = loss(output.requires_grad_(), target, torch.zeros_like(weight))
    value.backward()
    assert value == 0
    assert not output.grad.any()
    assert not any(p.grad.any() for p in loss.flow.parameters())


@pytest.mark.parametrize("logit", [-200.0, 200.0])
@pytest.mark.parametrize("share", [0.0, 30.0])
def test_value_and_gradients_are_finite_however_wrong_and_sure_it_is(logit, share):
    loss = RLELoss()
    output = torch.tensor([[[share, share, logit, logit]]], requires_grad=True)
    value = loss(output, torch.zeros(1, 1, 2), torch.ones(1, 1, 1))
    value.backward()
    assert value.isfinite()
    assert output.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in loss.parameters())


def test_autocast_changes_nothing():
    loss = RLELoss()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(*inputs())
    assert inside.dtype is torch.float32
    assert torch.equal(inside, loss(*inputs()))


def test_the_flow_learns_how_errors_are_distributed():
    """Errors that lie to one side are more likely after the flow has seen them."""
    generator = torch.Generator().manual_seed(0)
    loss = RLELoss(hidden=16)
    target = 0.2 + 0.05 * torch.randn(200, 1, 2, generator=generator)
    output = torch.zeros(200, 1, 4)
    weight = torch.ones(200, 1, 1)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    before = loss(output, target, weight).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss(output, target, weight).backward()
        optimizer.step()
    assert loss(output, target, weight).item() < before - 1
    assert loss.flow.log_prob(torch.tensor([[-0.4, -0.4]])) > -math.log(2 * math.pi)


@pytest.mark.parametrize("anchored", [True, False])
def test_the_flow_teaches_sigma_only_where_nothing_anchors_it(anchored):
    loss = RLELoss(anchored=anchored)
    output, target, weight = inputs()
    output.requires_grad_()
    loss(output, target, weight).backward()
    sigma = output.detach()[..., 2:].sigmoid()
    error = (output.detach()[..., :2] - target).abs()
    # of log(sigma) + error / sigma, by way of the sigmoid
    fit = (1 / sigma - error / sigma**2) * sigma * (1 - sigma) / weight.numel()
    apart = (output.grad[..., 2:] - fit).abs().max() / fit.abs().max()
    assert (apart < 0.02).item() is anchored


def test_another_base_is_refused():
    with pytest.raises(ValueError, match="base must be 'laplace' or 'gaussian', not 'cauchy'"):
        RLELoss(base="cauchy")
