"""Wrong backbones and necks: each is caught by the check that is meant for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcreg import Backbone, Neck
from dlcreg.testing import check_component


class RightBackbone(Backbone):
    """Two convolutions, of stride 4 together."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.layer = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.out_channels, self.out_strides = (8,), (4,)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return (self.layer(self.stem(images).relu()),)


class WrongStride(RightBackbone):
    """Says another stride."""

    def __init__(self) -> None:
        super().__init__()
        self.out_strides = (8,)


class WrongChannels(RightBackbone):
    """Says another number of channels."""

    def __init__(self) -> None:
        super().__init__()
        self.out_channels = (16,)


class ChannelsLast(RightBackbone):
    """Gives its maps channels last."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return (super().forward(images)[0].permute(0, 2, 3, 1),)


class CutsOddCells(RightBackbone):
    """Works on multiples of 8 alone, and says so nowhere."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        (x,) = super().forward(images)
        height, width = x.shape[-2:]
        return (x[..., : height // 2 * 2, : max(width // 2, 1) * 2],)


class FailsOnOddCells(RightBackbone):
    """Looks at blocks of 2 x 2 cells."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        (x,) = super().forward(images)
        b, c, h, w = x.shape
        return (x.reshape(b, c, h // 2, 2, w // 2, 2).reshape(b, c, h, w),)


class Remembers(RightBackbone):
    """Adds a little more at each call."""

    calls = 0

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        self.calls += 1
        return (super().forward(images)[0] + 2e-6 * self.calls,)


class MovesStatistics(RightBackbone):
    """Counts images in evaluation mode, too."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        self.count = self.count + len(images)
        return super().forward(images)


class LooksAtNeighbours(RightBackbone):
    """Takes the mean of the batch away."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        (x,) = super().forward(images)
        return (x - x.mean(dim=0, keepdim=True) * 0.1,)


class HoldsALambda(RightBackbone):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__()
        self.activate = lambda x: x.relu()


class WritesIntoItsInput(RightBackbone):
    """Clips the images in place."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return super().forward(images.clamp_(-1, 1))


class UnusedLayer(RightBackbone):
    """Has a layer that it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.further = nn.Conv2d(8, 8, 1)


class InfiniteGradient(RightBackbone):
    """Takes a root of 0."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        (x,) = super().forward(images)
        return (x + (x - x).sqrt(),)


class UnregisteredWeight(RightBackbone):
    """Draws a weight that its state dict does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = [float(value) for value in torch.rand(8, device="cpu") + 0.5]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        (x,) = super().forward(images)
        return (x * torch.tensor(self.factors, device=x.device).view(1, 8, 1, 1),)


class Unseeded(RightBackbone):
    """Draws its first weights from numpy, unseeded."""

    def __init__(self) -> None:
        super().__init__()
        drawn = np.random.default_rng().normal(size=self.layer.weight.shape).astype(np.float32)
        if self.layer.weight.device.type == "cpu":
            self.layer.weight.data = torch.from_numpy(drawn)


class BranchesOnValues(RightBackbone):
    """Turns the sign by what it sees."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        (x,) = super().forward(images)
        if x.device.type != "meta" and images.isnan().any():
            x = x.nan_to_num()
        return (x,)


class OtherShapesWithoutValues(RightBackbone):
    """Has other shapes on the meta device."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        (x,) = super().forward(images)
        return (x[..., :-1] if x.device.type == "meta" else x,)


class StaysOnTheCPU(RightBackbone):
    """Makes a tensor on the CPU, wherever the images are."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        (x,) = super().forward(images)
        return (x + torch.linspace(0, 1, x.shape[-1]),)


class LosesPrecision(RightBackbone):
    """Adds much and takes it away again."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        (x,) = super().forward(images)
        return ((x + 200.0) - 200.0,)


class NoDocstring(RightBackbone):
    def __init__(self) -> None:
        super().__init__()


class UndocumentedArgument(RightBackbone):
    """Says nothing of its argument."""

    def __init__(self, depth: int = 2) -> None:
        super().__init__()


class NoAnnotation(RightBackbone):
    """Has no type for its argument.

    Args:
        depth: layers.
    """

    def __init__(self, depth=2) -> None:
        super().__init__()


class TakesAnything(RightBackbone):
    """Swallows misspelt arguments."""

    def __init__(self, **kwargs) -> None:
        super().__init__()
        self.options = kwargs


class NeedsMore(RightBackbone):
    """Needs what nobody gives.

    Args:
        depth: layers.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()


class NoForward(Backbone):
    """Leaves out what it is there for."""


class RightNeck(Neck):
    """One convolution.

    Args:
        in_channels: channels of the map.
        in_strides: its stride.
    """

    def __init__(self, in_channels: int, in_strides: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(in_channels, 8, 1)
        self.out_channels, self.out_strides = (8,), (in_strides,)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self.layer(features[0]),)


class RectifiesInPlace(RightNeck):
    """Rectifies the backbone's map in place."""

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return super().forward((features[0].relu_(),))


def failed(kind: str, part: type, **options) -> set[str]:
    results = check_component(kind, part, **options)
    return {result.check for result in results if result.status == "failed"}


@pytest.mark.parametrize(("kind", "part"), [("backbones", RightBackbone), ("necks", RightNeck)])
def test_a_right_part_passes(kind, part):
    assert failed(kind, part) == set()


@pytest.mark.parametrize(
    ("part", "check"),
    [
        (WrongStride, "declared_strides"),
        (WrongChannels, "declared_channels"),
        (ChannelsLast, "channels_first"),
        (CutsOddCells, "odd_sizes"),
        (FailsOnOddCells, "odd_sizes"),
        (Remembers, "stateless"),
        (MovesStatistics, "stateless"),
        (LooksAtNeighbours, "batch_independent"),
        (HoldsALambda, "picklable"),
        (WritesIntoItsInput, "input_unchanged"),
        (UnusedLayer, "finite_gradients"),
        (InfiniteGradient, "finite_gradients"),
        (UnregisteredWeight, "state_dict_round_trip"),
        (Unseeded, "seeded"),
        (BranchesOnValues, "exports"),
        (OtherShapesWithoutValues, "traceable"),
        (StaysOnTheCPU, "follows_device"),
        (LosesPrecision, "bfloat16"),
        (NoDocstring, "documented"),
        (UndocumentedArgument, "documented"),
        (NoAnnotation, "annotated"),
        (TakesAnything, "annotated"),
        (NeedsMore, "builds"),
    ],
)
def test_a_wrong_backbone_is_caught_by_the_check_meant_for_it(part, check):
    assert failed("backbones", part) == {check}


def test_a_backbone_without_forward_is_neither_whole_nor_built():
    assert failed("backbones", NoForward) == {"found_by_name", "builds"}


def test_a_class_that_keeps_no_contract_is_not_found_and_tried_no_further():
    assert failed("backbones", nn.Linear) == {"found_by_name"}


def test_a_neck_that_writes_into_the_backbone_s_maps_is_caught():
    assert failed("necks", RectifiesInPlace) == {"input_unchanged"}
