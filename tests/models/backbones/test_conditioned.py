"""Conditioned backbones: any backbone behind a preNet, attention between the stages of an HRNet."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcreg.contracts import Backbone
from dlcreg.models.backbones.coam import CoAM
from dlcreg.models.backbones.concat_condition import ConcatCondition
from dlcreg.models.backbones.hrnet import HRNet
from dlcreg.models.backbones.prenet import PreNet
from dlcreg.models.backbones.resnet import ResNet
from dlcreg.models.conditions.stacked import StackedKeypoints
from dlcreg.models.layers.condition_attention import (
    ChannelAttention,
    ConditionAttention,
    PositionAttention,
)
from dlcreg.registry import BACKBONES
from dlcreg.wiring import construct

SIZE = (64, 96)
CONDITION = torch.tensor([[[30.0, 20.0, 1.0], [50.5, 40.0, 0.5], [0.0, 0.0, 0.0]]])


def images(size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))


class TwoBranches(Backbone):
    """A backbone of another package, of two branches that never meet."""

    def __init__(self) -> None:
        super().__init__()
        self.out_channels, self.out_strides = (4, 6), (4, 8)
        self.branch_channels, self.branch_strides = [(4, 6), (4, 6)], (4, 8)
        self.fine = nn.Conv2d(3, 4, 4, stride=4)
        self.coarse = nn.Conv2d(3, 6, 8, stride=8)

    def forward(self, images, between=None):
        branches = [self.fine(images), self.coarse(images)]
        for position in range(2 if between else 0):
            branches = between(position, branches)
        return tuple(branches)


def test_attention_is_softmax_of_queries_and_keys():
    torch.manual_seed(0)
    x, condition = torch.randn(2, 6, 4, 5), torch.randn(2, 3, 4, 5)
    block = PositionAttention(6, 3, dropout=0.1).eval()
    for layer in (block.query, block.key, block.value, block.out):
        nn.init.normal_(layer.weight)
    y = block.features(x).flatten(2).transpose(1, 2)
    q = block.query(block.condition(condition).flatten(2).transpose(1, 2))
    weights = (q @ block.key(y).transpose(1, 2) / 6**0.5).softmax(-1)
    expected = block.out(weights @ block.value(y)).transpose(1, 2).view(2, 6, 4, 5)
    assert torch.allclose(block(x, condition), expected, atol=1e-5)

    block = ChannelAttention(6, (4, 5), 3, dropout=0.1).eval()
    nn.init.normal_(block.out.weight)
    y, q = block.features(x).flatten(2), block.condition(condition).flatten(2)
    weights = (q @ y.transpose(1, 2) / 20**0.5).softmax(-1)
    expected = block.out(weights @ y).view(2, 6, 4, 5)
    assert torch.allclose(block(x, condition), expected, atol=1e-5)


def test_the_attention_of_cells_is_not_held_in_memory():
    """Of 96 x 72 cells it would be 191 MB an image."""
    kinds = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            found = func(*args, **(kwargs or {}))
            tensors = found if isinstance(found, tuple) else (found,)
            kinds.extend(t.numel() for t in tensors if isinstance(t, torch.Tensor))
            return found

    block = PositionAttention(8, 3, dropout=0.0).eval()
    with torch.no_grad(), Watch():
        block(torch.randn(1, 8, 48, 36), torch.randn(1, 3, 48, 36))
    assert max(kinds) < (48 * 36) ** 2


@pytest.mark.parametrize("channel_only", [False, True])
def test_attention_begins_nearly_as_if_it_were_not_there(channel_only):
    torch.manual_seed(0)
    block = ConditionAttention(8, (16, 24), 3, channel_only).eval()
    x, condition = torch.randn(1, 8, 16, 24), torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        change = block(x, condition) - x
    assert 0 < change.norm() < 0.05 * x.norm()


def test_attention_stands_where_the_config_says_behind_the_last_stage_on_the_finest_branch():
    coam = CoAM(HRNet(4), StackedKeypoints(3), SIZE, positions=(0, 2, 3))
    assert {at: len(blocks) for at, blocks in coam.attention.items()} == {"0": 2, "2": 4, "3": 1}
    cells = [block.channel.out.in_features for block in coam.attention["2"]]
    assert cells == [16 * 24, 8 * 12, 4 * 6, 2 * 3]
    three = CoAM(HRNet(4, stages=3), StackedKeypoints(3), SIZE, positions=(2,))
    assert len(three.attention["2"]) == 1


def test_attention_works_in_any_backbone_of_branches():
    coam = CoAM(TwoBranches(), StackedKeypoints(3), SIZE, positions=(0, 1))
    fine, coarse = coam(images(), CONDITION)
    assert (fine.shape, coarse.shape) == ((1, 4, 16, 24), (1, 6, 8, 12))


def test_a_condition_with_swapped_sides_is_another_one_unless_images_are_square():
    torch.manual_seed(0)
    plain = CoAM(HRNet(4), StackedKeypoints(3, sigma=6.0), SIZE).eval()
    for parameter in plain.attention.parameters():
        nn.init.normal_(parameter, std=0.3)
    right = plain(images(), CONDITION)[0]
    plain.swapped_sides = True
    assert not torch.allclose(plain(images(), CONDITION)[0], right, atol=1e-3)


def test_an_image_of_another_size_is_refused_with_both_sizes():
    coam = CoAM(HRNet(4), StackedKeypoints(3), (60, 90))  # padded to multiples of 32
    coam(images(), CONDITION)
    with pytest.raises(ValueError, match=r"built for images of 64 x 96 .* one of 96 x 96"):
        coam(images((96, 96)), CONDITION)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(backbone=ResNet(18)), "backbone must be one of parallel branches.* not ResNet"),
        (dict(positions=(4,)), r"positions must be some of 0 to 3 in rising order, not \(4,\)"),
        (dict(positions=(2, 1)), "in rising order"),
        (dict(positions=()), "positions must be some of"),
        (dict(dropout=1.0), "dropout must be a share"),
    ],
)
def test_wrong_options_of_the_attention_are_refused(options, message):
    given = {"backbone": HRNet(4), "encoder": StackedKeypoints(3), "input_size": SIZE, **options}
    with pytest.raises(ValueError, match=message):
        CoAM(**given)


def test_a_prenet_stands_in_front_of_any_backbone_and_is_wired_as_it():
    encoder = dict(type="ColoredKeypoints")
    cfg = dict(type="PreNet", backbone=dict(type="ResNet", depth=18), encoder=encoder)
    prenet = construct(BACKBONES, cfg, dict(num_keypoints=3))
    assert (prenet.out_channels, prenet.out_strides) == ((512,), (32,))
    layers = [*prenet.image.parameters(), *prenet.condition.parameters()]
    assert sum(p.numel() for p in layers) == 11_787
    assert prenet(images(), CONDITION)[0].shape == (1, 512, 2, 3)


@pytest.mark.parametrize(("frozen", "learning"), [(None, 46), ("own", 40), ("all", 0)])
def test_norms_of_a_prenet_and_its_backbone_may_be_frozen(frozen, learning):
    prenet = PreNet(ResNet(18), StackedKeypoints(3), frozen_norms=frozen).train()
    norms = [m for m in prenet.modules() if isinstance(m, nn.BatchNorm2d)]
    parameters = [p for norm in norms for p in norm.parameters()]
    assert sum(p.requires_grad for p in parameters) == learning
    assert sum(2 * norm.training for norm in norms) == learning


def test_channels_of_the_condition_are_the_last_ones_of_each_map():
    backbone = ResNet(18, out_indices=(0, 2))
    concat = ConcatCondition(backbone, StackedKeypoints(3), condition_channels=5).eval()
    assert concat.out_channels == (64 + 5, 256 + 5)
    assert concat.out_strides == (4, 16)
    with torch.no_grad():
        maps, plain = concat(images(), CONDITION), backbone(images())
    assert all(torch.equal(m[:, :-5], p) for m, p in zip(maps, plain))
    other = concat(images(), torch.zeros_like(CONDITION))
    assert not any(torch.equal(m[:, -5:], o[:, -5:]) for m, o in zip(maps, other))


@pytest.mark.parametrize(
    "make",
    [
        lambda: PreNet(ResNet(18), StackedKeypoints(3), channels=0),
        lambda: PreNet(ResNet(18), StackedKeypoints(3), frozen_norms="some"),
        lambda: ConcatCondition(ResNet(18), StackedKeypoints(3), channels=0),
        lambda: ConcatCondition(ResNet(18), StackedKeypoints(3), condition_channels=0),
    ],
)
def test_wrong_options_are_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()


def test_twins_change_places_in_a_mirrored_map_as_the_encoder_says():
    prenet = PreNet(ResNet(18), StackedKeypoints(3))
    drawn, index = torch.rand(1, 3, 4, 5), torch.tensor([1, 0, 2])
    expected = drawn.flip(-1)[:, [1, 0, 2]]
    assert torch.equal(prenet.mirror_condition(drawn, index), expected)
