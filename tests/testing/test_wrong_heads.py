"""Wrong heads: each is caught by the check that is meant for it."""

from __future__ import annotations

import pytest
from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg import Codec, Head, Loss
from dlcreg.testing import check_component


class RightHead(Head):
    """One convolution.

    Args:
        in_channels: channels of the map.
        in_strides: its stride.
        num_keypoints: number of keypoints.
        codec: makes targets.
        losses: one for each output.
    """

    def __init__(
        self,
        in_channels: int,
        in_strides: int,
        num_keypoints: int,
        codec: Codec,
        losses: dict[str, Loss],
    ) -> None:
        super().__init__(codec, losses, stride=in_strides)
        self.layer = nn.Conv2d(in_channels, num_keypoints, 1)

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        return {"heatmap": self.layer(features[0])}


class Normalised(RightHead):
    """Normalises over the batch, and drops some of its channels in training.

    Args:
        in_channels: channels of the map.
        in_strides: its stride.
        num_keypoints: number of keypoints.
        codec: makes targets.
        losses: one for each output.
    """

    def __init__(
        self,
        in_channels: int,
        in_strides: int,
        num_keypoints: int,
        codec: Codec,
        losses: dict[str, Loss],
    ) -> None:
        super().__init__(in_channels, in_strides, num_keypoints, codec, losses)
        self.norm = nn.BatchNorm2d(in_channels)
        self.scale = nn.BatchNorm1d(in_channels)
        self.drop = nn.Dropout2d(0.1)

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        x = self.norm(features[0])
        x = x * self.scale(x.mean(dim=(2, 3)))[..., None, None].sigmoid()
        return {"heatmap": self.layer(self.drop(x))}


class LearnsUnlabelled(RightHead):
    """Gives every map a weight of 1."""

    def loss(self, features, instances, size):
        output = self(features)["heatmap"]
        target, _ = self.codec.encode(instances, size)["heatmap"]
        return {"heatmap": (output - target).square().mean()}


class OtherOutput(RightHead):
    """Gives its output another name."""

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        return {"maps": self.layer(features[0])}


class LearnsTheOpposite(RightHead):
    """Turns the sign of what it learns before it decodes."""

    def predict(self, features, size):
        return self.codec.decode({"heatmap": -self(features)["heatmap"]}, size)


class CoarseInHalfPrecision(RightHead):
    """Adds much and takes it away again."""

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        return {"heatmap": (self.layer(features[0]) + 50.0) - 50.0}


class OneCellTooMany(RightHead):
    """Is finite for some sizes alone."""

    def loss(self, features, instances, size):
        losses = super().loss(features, instances, size)
        odd = features[0].shape[-1] % 2
        return {name: value / (1 - odd) for name, value in losses.items()}


class MapsTooWide(RightHead):
    """Gives wider maps where nobody compares them with a target."""

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        (x,) = features
        maps = self.layer(x)
        return {"heatmap": maps if self.training else F.pad(maps, (0, 1), value=-1.0)}


class AlwaysOneImage(RightHead):
    """Predicts the first image of a batch alone."""

    def predict(self, features, size):
        return super().predict(tuple(f[:1] for f in features), size)


def failed(kind: str, part: type, **options) -> set[str]:
    results = check_component(kind, part, **options)
    return {result.check for result in results if result.status == "failed"}


@pytest.mark.parametrize("part", [RightHead, Normalised])
def test_a_right_head_passes(part):
    assert failed("heads", part) == set()


@pytest.mark.parametrize(
    ("part", "check"),
    [
        (LearnsUnlabelled, "ignores_unlabelled"),
        (LearnsTheOpposite, "overfits"),
        (CoarseInHalfPrecision, "bfloat16_pixels"),
        (OneCellTooMany, "finite_loss"),
        (MapsTooWide, "targets_fit_losses"),
    ],
)
def test_a_wrong_head_is_caught_by_the_check_meant_for_it(part, check):
    assert failed("heads", part) == {check}


def test_a_head_that_predicts_one_image_of_a_batch_has_not_learnt_the_other():
    assert failed("heads", AlwaysOneImage) == {"predicts", "overfits"}


def test_a_head_whose_output_the_codec_does_not_know_can_do_nothing():
    found = failed("heads", OtherOutput)
    assert found == {
        "outputs_fit_codec", "predicts", "finite_loss", "finite_gradients", "ignores_unlabelled",
        "overfits", "bfloat16_pixels",
    }  # fmt: skip
