"""Parts whose outputs are no maps: coordinates of their own shape, with a deviation each."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg import Codec, Head, Loss
from dlcreg.contracts import Size
from dlcreg.structures import Poses
from dlcreg.testing import check_component


def last_pixel(size: Size) -> tuple[float, float]:
    return size[1] - 1.0, size[0] - 1.0


class Coordinates(Codec):
    """Coordinates as shares of the image; the outputs have a deviation beside each pair."""

    def output_channels(self, num_keypoints):
        return {"coordinates": num_keypoints}

    def encode(self, instances, size):
        known = (instances.visibility > 0) & instances.valid[..., None]
        share = instances.keypoints / instances.keypoints.new_tensor(last_pixel(size))
        first = known.int().argmax(dim=1, keepdim=True)  # (B, 1, K): the first labelled animal
        share = share.masked_fill(~known[..., None], 0.0)
        share = share.gather(1, first[..., None].expand(-1, -1, -1, 2))[:, 0]
        return {"coordinates": (share, known.any(dim=1)[..., None].float())}

    def decode(self, outputs, size):
        share, deviation = outputs["coordinates"].split([2, 1], dim=-1)
        keypoints = (share * share.new_tensor(last_pixel(size)))[:, None]
        scores = (-deviation[..., 0].exp()).exp()[:, None]
        return Poses(keypoints, scores, scores.mean(-1), torch.ones_like(scores[..., 0]) > 0)


class TwoAnimals(Coordinates):
    """Coordinates of two animals, the second one first."""

    max_individuals = 2

    def encode(self, instances, size):
        known = (instances.visibility > 0) & instances.valid[..., None]
        share = instances.keypoints / instances.keypoints.new_tensor(last_pixel(size))
        share = share.masked_fill(~known[..., None], 0.0)[:, :2]
        weight = known[:, :2, :, None].expand_as(share).float()
        missing = 2 - share.shape[1]
        share, weight = (F.pad(x, (0, 0, 0, 0, 0, missing)) for x in (share, weight))
        return {"coordinates": tuple(x.transpose(1, 2).flatten(2) for x in (share, weight))}

    def decode(self, outputs, size):
        share = outputs["coordinates"].unflatten(2, (2, 2)).transpose(1, 2).flip(1)
        keypoints = share * share.new_tensor(last_pixel(size))
        scores = torch.ones_like(keypoints[..., 0])
        return Poses(keypoints, scores, scores.mean(-1), (share != 0).any(-1).any(-1))


class FirstAnimalTwice(TwoAnimals):
    """Finds the first animal twice, and the second one never."""

    def decode(self, outputs, size):
        poses = super().decode(outputs, size)
        return replace(poses, keypoints=poses.keypoints[:, [1, 1]], valid=poses.valid[:, [1, 1]])


class LaplaceLoss(Loss):
    """Negative logarithm of the likelihood under a Laplace distribution of learnt deviation.

    A part of the deviation is the loss's own and the same for all.

    Args:
        weight: factor of the loss.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.common = nn.Parameter(0.1 * torch.randn(()))

    def target_shape(self, output):
        return *output[:-1], 2

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        share, deviation = output.split([2, 1], dim=-1)
        deviation = deviation + self.common
        error = torch.where(weight != 0, share - target, torch.zeros_like(share)).abs()
        return ((error * (-deviation).exp() + deviation) * weight).mean()


class CoordinateHead(Head):
    """Mean of the feature map, and one layer.

    Args:
        in_channels: channels of the map.
        num_keypoints: number of keypoints.
        codec: makes targets.
        losses: one for each output.
    """

    def __init__(
        self, in_channels: int, num_keypoints: int, codec: Codec, losses: dict[str, Loss]
    ) -> None:
        super().__init__(codec, losses)
        self.num_keypoints = num_keypoints
        self.layer = nn.Linear(in_channels, 3 * num_keypoints)

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        x = self.layer(features[0].mean(dim=(2, 3)))
        return {"coordinates": x.unflatten(1, (self.num_keypoints, 3))}


def with_deviation(targets: dict[str, Tensor]) -> dict[str, Tensor]:
    share = targets["coordinates"]
    return {"coordinates": torch.cat([share, torch.zeros_like(share[..., :1])], dim=-1)}


def shares(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    output, target = (torch.randn(2, 4, n, generator=generator) for n in (3, 2))
    return output, target, torch.tensor([[1.0, 0, 1, 1], [1, 1, 1, 0]])[..., None]


def wrong(*args, **options) -> list[str]:
    return [str(r) for r in check_component(*args, **options) if r.status == "failed"]


def test_a_codec_is_tried_through_the_outputs_that_its_author_makes_of_targets():
    assert not wrong("codecs", Coordinates, outputs=with_deviation)


def test_a_loss_is_tried_on_the_inputs_that_its_author_gives():
    assert not wrong("losses", LaplaceLoss, inputs=shares)


def test_a_head_is_tried_with_the_codec_and_the_losses_of_its_arguments():
    parts = dict(codec=dict(type=Coordinates), losses=dict(coordinates=dict(type=LaplaceLoss)))
    assert not wrong("heads", CoordinateHead, arguments=parts)


def test_a_codec_for_several_animals_is_tried_with_several_and_may_give_them_in_any_order():
    assert not wrong("codecs", TwoAnimals)
    assert any("round_trip: failed" in line for line in wrong("codecs", FirstAnimalTwice))
