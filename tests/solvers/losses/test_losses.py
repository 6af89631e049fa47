"""Losses: weights, missing labels, and the values of the original implementations."""

from __future__ import annotations

import math

import pytest
import torch

from dlcreg.solvers.losses.bce import BCELoss
from dlcreg.solvers.losses.huber import HuberLoss
from dlcreg.solvers.losses.mse import MSELoss
from dlcreg.solvers.losses.ohkm import OHKMLoss

ALL = [MSELoss(), MSELoss(reduction="mean"), HuberLoss(), BCELoss(), OHKMLoss(top_k=2)]
NAMES = [f"{type(loss).__name__}-{getattr(loss, 'reduction', '')}" for loss in ALL]


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
@pytest.mark.parametrize("poison", [float("nan"), float("inf"), 1e30])
def test_a_weight_of_zero_gives_no_gradient_whatever_the_target_is(loss, poison):
    output = torch.randn(2, 3, 4, 4, requires_grad=True)
    target = torch.rand(2, 3, 4, 4)
    target[:, 1] = poison
    weight = torch.ones(2, 3, 1, 1)
    weight[:, 1] = 0
    value = loss(output, target, weight)
    value.backward()
    assert value.isfinite()
    assert (output.grad[:, 1] == 0).all()
    assert output.grad.isfinite().all()
    assert (output.grad[:, 0] != 0).any()


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_a_batch_without_any_label_has_the_loss_zero(loss):
    output = torch.randn(2, 3, 4, 4, requires_grad=True)
    value = loss(output, torch.full((2, 3, 4, 4), float("nan")), torch.zeros(2, 3, 1, 1))
    value.backward()
    assert value.item() == 0
    assert (output.grad == 0).all()


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_a_weight_of_each_element_equals_the_same_weight_of_its_map(loss):
    output, target = torch.randn(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    weight = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])[..., None, None]
    whole = loss(output, target, weight)
    each = loss(output, target, weight.expand_as(target))
    assert whole.item() == pytest.approx(each.item())


def test_present_does_not_shrink_with_missing_labels_and_mean_does():
    output, target = torch.ones(1, 4, 2, 2), torch.zeros(1, 4, 2, 2)
    weight = torch.tensor([1.0, 0.0, 0.0, 0.0]).view(1, 4, 1, 1)
    assert MSELoss()(output, target, weight).item() == 1.0
    assert MSELoss(reduction="mean")(output, target, weight).item() == 0.25


@pytest.mark.codec_file("codec_hrnet", "in/loss_*", "out/joints_*")
@pytest.mark.codec_file("codec_transpose_dark", "in/loss_*", "out/joints_*")
def test_hrnet_s_losses_have_the_original_s_values(codec_files):
    for file in codec_files:
        output, target = (torch.tensor(file[f"in/loss_{key}"]) for key in ("pred", "target"))
        weight = torch.tensor(file["in/loss_weight"])[..., None]
        mse, ohkm = MSELoss(weight=0.5, reduction="mean"), OHKMLoss(weight=0.5, top_k=8)
        for name, loss in (("mse", mse), ("ohkm_top8", ohkm)):
            ours = loss.weight * loss(output, target, weight)
            file.compare(f"out/joints_{name}", ours, atol=1e-6)


@pytest.mark.codec_file(
    "codec_dlc_bottomup",
    "in/pred_heatmap",
    "in/pred_locref",
    "out/loss_bce",
    "out/loss_locref_huber",
    "out/loss_mse_weighted",
)
def test_deeplabcut_s_losses_have_the_original_s_values(codec_file):
    def value(loss, name):
        arrays = (f"in/pred_{name}", f"out/plateau_{name}", f"out/plateau_{name}_weights")
        return loss(*(torch.tensor(codec_file[key]) for key in arrays))

    codec_file.compare("out/loss_bce", value(BCELoss(), "heatmap"), atol=1e-6)
    codec_file.compare("out/loss_locref_huber", value(HuberLoss(), "locref"), atol=1e-8)
    codec_file.compare("out/loss_mse_weighted", value(MSELoss(), "heatmap"), rtol=1e-5)


def test_hard_keypoints_alone_are_mined():
    output = torch.tensor([3.0, 1.0, 2.0]).view(1, 3, 1, 1).requires_grad_()
    loss = OHKMLoss(top_k=1)(output, torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
    loss.backward()
    assert loss.item() == 9.0
    assert output.grad.flatten().tolist() == [6.0, 0.0, 0.0]


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_a_weight_below_0_or_without_end_is_refused(weight):
    with pytest.raises(ValueError, match=f"weight must be a number from 0 on, not {weight:g}"):
        MSELoss(weight=weight)


def test_values_without_sense_are_refused():
    with pytest.raises(ValueError, match="delta must be above 0"):
        HuberLoss(delta=0.0)
    with pytest.raises(ValueError, match="top_k must be at least 1"):
        OHKMLoss(top_k=0)
