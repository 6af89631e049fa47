"""Wrong conditioned backbones and encoders: each is caught by the check that is meant for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcreg import Backbone, ConditionEncoder
from dlcreg.contracts import Size
from dlcreg.testing import check_component


class RightBackbone(Backbone):
    """Adds where the keypoints of a condition lie to the features."""

    def __init__(self) -> None:
        super().__init__()
        self.images = nn.Conv2d(3, 8, 4, stride=4)
        self.condition = nn.Linear(2, 8)
        self.out_channels, self.out_strides = (8,), (4,)

    def forward(self, images: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        known = condition[..., 2:] > 0
        middle = condition[..., :2].masked_fill(~known, 0.0).mean(dim=1) / 50
        return (self.images(images) + self.condition(middle)[..., None, None],)


class LeavesItsConditionAlone(RightBackbone):
    """Takes a condition for nothing."""

    def forward(self, images: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        return super().forward(images, torch.ones_like(condition))


class BelievesUnknownKeypoints(RightBackbone):
    """Looks at coordinates that mean nothing."""

    def forward(self, images: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        points = condition[..., :2].nan_to_num()
        return super().forward(images, torch.cat([points, torch.ones_like(points)], dim=-1))


class RightEncoder(ConditionEncoder):
    """A bright pixel where a keypoint is."""

    def __init__(self) -> None:
        super().__init__()
        self.out_channels = 1

    def draw(self, condition: Tensor, size: Size) -> Tensor:
        rows, columns = (torch.arange(length, device=condition.device) for length in size)
        x, y, score = condition.float().unbind(-1)
        row = (rows == y.round()[..., None]) & (score > 0)[..., None]
        column = columns == x.round()[..., None]
        return (row[..., None] & column[..., None, :]).any(dim=1, keepdim=True).float()


class SwapsXAndY(RightEncoder):
    """Takes x for a row."""

    def draw(self, condition: Tensor, size: Size) -> Tensor:
        return super().draw(condition[..., [1, 0, 2]], size)


class DrawsAll(RightEncoder):
    """Draws keypoints without a score, too."""

    def draw(self, condition: Tensor, size: Size) -> Tensor:
        score = torch.ones_like(condition[..., 2:])
        return super().draw(torch.cat([condition[..., :2], score], dim=-1), size)


class HalfPrecision(RightEncoder):
    """Draws values that lose digits."""

    def draw(self, condition: Tensor, size: Size) -> Tensor:
        return super().draw(condition, size).half()


class TurnsUpsideDown(RightEncoder):
    """Mirrors the other axis."""

    def mirror(self, maps: Tensor, flip_index: Tensor) -> Tensor:
        return maps.flip(-2)


class SharesABrightness(RightEncoder):
    """Compares the conditions of a batch."""

    def draw(self, condition: Tensor, size: Size) -> Tensor:
        drawn = super().draw(condition, size)
        return drawn / drawn.sum().clamp(min=1)


class DrawsOnTheCPU(RightEncoder):
    """Draws where torch draws by default."""

    def draw(self, condition: Tensor, size: Size) -> Tensor:
        return super().draw(condition, size) * torch.ones(size, device="cpu")


def failed(kind: str, part: type) -> set[str]:
    return {result.check for result in check_component(kind, part) if result.status == "failed"}


@pytest.mark.parametrize(
    ("part", "checks"),
    [
        (RightBackbone, set()),
        (LeavesItsConditionAlone, {"looks_at_its_condition"}),
        (BelievesUnknownKeypoints, {"unknown_keypoints_leave_nothing"}),
    ],
)
def test_conditioned_backbones_are_given_conditions(part, checks):
    assert failed("backbones", part) == checks


@pytest.mark.parametrize(
    ("part", "checks"),
    [
        (RightEncoder, set()),
        (SwapsXAndY, {"draws_where_it_is", "leaves_out_what_is_not_there", "mirrors"}),
        (DrawsAll, {"draws_where_it_is", "leaves_out_what_is_not_there"}),
        (HalfPrecision, {"shape_and_values"}),
        (TurnsUpsideDown, {"mirrors"}),
        (SharesABrightness, {"batch_independent"}),
        (DrawsOnTheCPU, {"follows_device"}),
    ],
)
def test_a_wrong_condition_encoder_is_caught_by_the_check_meant_for_it(part, checks):
    assert failed("condition_encoders", part) == checks
