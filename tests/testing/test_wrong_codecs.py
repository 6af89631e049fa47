"""Wrong codecs and losses: each is caught by the check that is meant for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dlcreg import Loss
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.structures import Poses
from dlcreg.testing import check_component


def decoded(poses: Poses, change) -> Poses:
    return replace(poses, keypoints=change(poses.keypoints))


class HalfPixel(GaussianHeatmap):
    """Decodes to the corner of the pixel."""

    def decode(self, outputs, size):
        return decoded(super().decode(outputs, size), lambda k: k + 0.5)


class Swapped(GaussianHeatmap):
    """Decodes y, x."""

    def decode(self, outputs, size):
        return decoded(super().decode(outputs, size), lambda k: k.flip(-1))


class WholeCells(GaussianHeatmap):
    """Decodes to whole pixels."""

    def decode(self, outputs, size):
        return decoded(super().decode(outputs, size), lambda k: k.round())


class ShyOfBorders(GaussianHeatmap):
    """Keeps away from the border at the left and the top."""

    def decode(self, outputs, size):
        return decoded(super().decode(outputs, size), lambda k: k.clamp(min=2.0))


class IgnoresVisibility(GaussianHeatmap):
    """Draws keypoints without a label."""

    def encode(self, instances, size):
        all_seen = torch.full_like(instances.visibility, 2)
        return super().encode(replace(instances, visibility=all_seen), size)


class WeighsUnlabelled(GaussianHeatmap):
    """Takes a keypoint without a label for an empty map."""

    def encode(self, instances, size):
        maps, weight = super().encode(instances, size)["heatmap"]
        return {"heatmap": (maps, torch.ones_like(weight))}


class IgnoresValid(GaussianHeatmap):
    """Draws rows that only pad."""

    def encode(self, instances, size):
        return super().encode(replace(instances, valid=torch.ones_like(instances.valid)), size)


class AllOrNothing(GaussianHeatmap):
    """Draws only animals of which every keypoint has a label."""

    def encode(self, instances, size):
        whole = (instances.visibility > 0).all(dim=-1) & instances.valid
        return super().encode(replace(instances, valid=whole), size)


class RemembersSize(GaussianHeatmap):
    """Decodes relative to the image that was encoded last."""

    def encode(self, instances, size):
        self.size = size
        return super().encode(instances, size)

    def decode(self, outputs, size):
        return decoded(super().decode(outputs, size), lambda k: k + (self.size[0] == 0))


class LooksAtNeighbours(GaussianHeatmap):
    """Scales the targets by the highest peak of the batch."""

    def encode(self, instances, size):
        targets = super().encode(instances, size)
        maps, weight = targets["heatmap"]
        return {"heatmap": (maps / maps.amax().clamp(min=1e-6), weight)}


class DecodesToTheCPU(GaussianHeatmap):
    """Adds a tensor that lies on the CPU."""

    def decode(self, outputs, size):
        return decoded(super().decode(outputs, size), lambda k: k + torch.zeros(2))


class FlipsWithoutTwins(GaussianHeatmap):
    """Mirrors the maps and leaves left and right where they are."""

    def flip(self, outputs, flip_index):
        return super().flip(outputs, torch.arange(len(flip_index)))


class OtherChannels(GaussianHeatmap):
    """Speaks of one channel too many."""

    def output_channels(self, num_keypoints):
        return {"heatmap": num_keypoints + 1}


class OtherNames(GaussianHeatmap):
    """Speaks of another output."""

    def output_channels(self, num_keypoints):
        return {"maps": num_keypoints}


class WritesIntoLabels(GaussianHeatmap):
    """Rounds the labels to an eighth of a pixel, in place."""

    def encode(self, instances, size):
        instances.keypoints.copy_((instances.keypoints * 8).round() / 8)
        return super().encode(instances, size)


class NothingOfNothing(GaussianHeatmap):
    """Divides by the sum of the map."""

    def decode(self, outputs, size):
        total = outputs["heatmap"].sum(dim=(2, 3))[:, None, :, None]
        return decoded(super().decode(outputs, size), lambda k: k * (total / total))


class RightLoss(Loss):
    """Squared error."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        error = torch.where(weight != 0, output - target, torch.zeros_like(output))
        return (error.square() * weight).mean()


class NotANumber(RightLoss):
    """Divides by the sum of the weights."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return super().forward(output, target, weight) / weight.mean()


class LearnsUnlabelled(RightLoss):
    """Learns what has no label, too, unless nothing has one."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        known = target.nan_to_num() if weight.any() else output.detach()
        return (output - known).square().mean()


class NanTimesZero(RightLoss):
    """Multiplies what it should leave out."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return ((output - target) * weight).square().mean()


class WeighsItself(RightLoss):
    """Multiplies by its factor, as the head does."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return self.weight * super().forward(output, target, weight)


class OneOfEach(RightLoss):
    """Gives a number for each image."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return super().forward(output, target, weight)[None]


class Overflows(RightLoss):
    """Takes the logarithm of a sigmoid by hand."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        known = weight != 0
        output = torch.where(known, output, torch.zeros_like(output))
        target = torch.where(known, target, torch.zeros_like(target))
        p = output.sigmoid()
        loss = -(target * p.log() + (1 - target) * (1 - p).log())
        return (loss * weight).mean()


class Accumulates(RightLoss):
    """Grows a little with every call."""

    calls = 0

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(output, target, weight) * (1 + 3e-7 * self.calls)


class WeighsOnTheCPU(RightLoss):
    """Weighs channels by a tensor that lies on the CPU."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        factors = torch.ones(output.shape[1], 1, 1)
        return super().forward(output, target, weight * factors)


class WritesIntoTheTarget(RightLoss):
    """Clips the target in place."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return super().forward(output, target.clamp_(0.1, 0.9), weight)


class WrongSign(RightLoss):
    """Rewards errors."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return -F.smooth_l1_loss(output * weight, target.nan_to_num() * weight)


def failed(kind: str, part: type, **options) -> set[str]:
    results = check_component(kind, part, **options)
    return {result.check for result in results if result.status == "failed"}


@pytest.mark.parametrize(
    ("part", "check"),
    [
        (HalfPixel, "no_offset"),
        (ShyOfBorders, "round_trip_at_borders"),
        (IgnoresVisibility, "ignores_unlabelled"),
        (WeighsUnlabelled, "ignores_unlabelled"),
        (IgnoresValid, "ignores_padding"),
        (AllOrNothing, "missing_keypoints"),
        (RemembersSize, "stateless"),
        (LooksAtNeighbours, "batch_independent"),
        (DecodesToTheCPU, "follows_device"),
        (FlipsWithoutTwins, "flips"),
        (OtherChannels, "targets_fit"),
        (OtherNames, "targets_fit"),
        (WritesIntoLabels, "input_unchanged"),
        (NothingOfNothing, "poses_fit"),
    ],
)
def test_a_wrong_codec_is_caught_by_the_check_meant_for_it(part, check):
    assert failed("codecs", part) == {check}


@pytest.mark.parametrize("part", [Swapped, WholeCells])
def test_a_codec_that_decodes_wrongly_everywhere_fails_at_borders_and_mirrored_too(part):
    assert failed("codecs", part) - {"missing_keypoints"} == {
        "round_trip", "round_trip_at_borders", "flips",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("part", "check"),
    [
        (NotANumber, "zero_weight"),
        (LearnsUnlabelled, "ignores_unlabelled"),
        (NanTimesZero, "ignores_unlabelled"),
        (WeighsItself, "unweighted"),
        (Overflows, "finite_gradients"),
        (Accumulates, "repeatable"),
        (WeighsOnTheCPU, "follows_device"),
        (WritesIntoTheTarget, "input_unchanged"),
        (WrongSign, "learns"),
    ],
)
def test_a_wrong_loss_is_caught_by_the_check_meant_for_it(part, check):
    assert failed("losses", part) == {check}


def test_a_right_loss_passes():
    assert failed("losses", RightLoss) == set()


def test_a_loss_of_several_numbers_is_caught():
    assert "scalar" in failed("losses", OneOfEach)
