"""Parts are built in order, and what a config leaves out is filled in by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

from dlcreg.contracts import Backbone, Codec, Head, Loss, Neck
from dlcreg.errors import ConfigError, DataError
from dlcreg.registry import BACKBONES, HEADS, LOSSES, MODELS, OPTIMIZERS, REGISTRIES
from dlcreg.structures import DatasetInfo
from dlcreg.wiring import construct, parts_of
from dlcreg.wiring.held import Guess


class Stem(Backbone):
    def __init__(self, channels: Sequence[int] = (4,), size: int | None = None) -> None:
        super().__init__()
        self.out_channels = tuple(channels)
        self.out_strides = tuple(4 * 2**i for i in range(len(channels)))

    def forward(self, images):
        return tuple(images.new_zeros(1, c, 8, 8) for c in self.out_channels)


class Undeclared(Backbone):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, stride=4, padding=1)

    def forward(self, images):
        return (self.conv(images),)


class UndeclaredNeck(Neck):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 7, 3, stride=2, padding=1)

    def forward(self, features):
        return (self.conv(features[0]),)


class Drawn(Codec):
    def output_channels(self, num_keypoints):
        return {"map": num_keypoints}

    def encode(self, instances, size):
        raise NotImplementedError

    def decode(self, outputs, size):
        raise NotImplementedError


class Zero(Loss):
    def forward(self, output, target, weight):
        return output.sum() * 0


class Last(Head):
    def __init__(
        self,
        in_channels: int,
        in_strides: Sequence[int],
        num_keypoints: int,
        codec: Codec,
        losses: dict[str, Loss],
        flip_pairs: Any = (),
        num_individuals: int = 1,
        size: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__(codec, losses, stride=in_strides[0])
        self.seen = (in_channels, in_strides, num_keypoints, flip_pairs, num_individuals, size)

    def forward(self, features):
        return {"map": features[0]}


class Tower(nn.Module):
    def __init__(
        self, backbone: Backbone, neck: Neck | None = None, head: Head | dict[str, Head] = None
    ) -> None:
        super().__init__()
        self.backbone, self.neck = backbone, neck
        self.head = nn.ModuleDict(head) if isinstance(head, dict) else head


INFO = DatasetInfo(("left", "right", "tail"), flip_pairs=((0, 1),), num_individuals=2)
HEAD = dict(type=Last, codec=dict(type=Drawn), losses=dict(map=dict(type=Zero)))


def tower(context=None, **parts):
    cfg = {"type": Tower, "backbone": dict(type=Stem), "head": HEAD, **parts}
    return construct(MODELS, cfg, INFO.wiring() if context is None else context, "model")


def refusal(**parts) -> str:
    with pytest.raises(ConfigError) as caught:
        tower(**parts)
    return str(caught.value)


def test_a_part_is_given_what_the_parts_before_it_and_the_data_say():
    assert tower().head.seen == (4, (4,), 3, ((0, 1),), 2, (1, 1))


def test_several_heads_are_each_given_the_same():
    model = tower(head={"one": HEAD, "two": HEAD})
    assert model.head["one"].seen == model.head["two"].seen == (4, (4,), 3, ((0, 1),), 2, (1, 1))


def test_lists_become_tuples_where_tuples_are_wanted():
    assert tower(head={**HEAD, "size": [2, 3]}).head.seen[-1] == (2, 3)


@pytest.mark.parametrize(
    "written",
    [
        {"in_channels": 4},
        {"in_strides": [4]},
        {"num_keypoints": 3},
        {"flip_pairs": [[1, 0]]},
        {"num_individuals": 5},
    ],
)
def test_a_value_written_by_hand_may_agree(written):
    tower(head={**HEAD, **written})


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"in_channels": 8}, "8 is written here, but the part before it gives 4."),
        ({"in_strides": [8]}, "8 is written here, but the part before it gives 4."),
        ({"num_keypoints": 17}, "17 is written here, but the data has 3."),
        ({"flip_pairs": [[0, 2]]}, "[(0, 2)] is written here, but the data has [(0, 1)]."),
        ({"num_individuals": 1}, "1 is written here, but the data has 2."),
    ],
)
def test_a_value_written_by_hand_that_disagrees_is_refused(written, message):
    (name,) = written
    assert refusal(head={**HEAD, **written}) == (
        f"model.head.{name}: {message} Leave {name!r} out: it is filled in."
    )


def test_a_skeleton_of_keypoints_that_are_not_there_is_refused():
    class Boned(Last):
        def __init__(self, skeleton: Sequence[tuple[int, int]] = (), **kwargs: Any) -> None:
            super().__init__(**kwargs)

    tower(head={**HEAD, "type": Boned, "skeleton": [[0, 2]]})
    assert refusal(head={**HEAD, "type": Boned, "skeleton": [[0, 3]]}) == (
        "model.head.skeleton: [(0, 3)] joins keypoints that the data does not have: it has 3, "
        "counted from 0."
    )


def test_a_guess_is_filled_in_but_nothing_is_held_against_it():
    context = {name: Guess(value) for name, value in INFO.wiring().items()}
    assert tower(context).head.seen[2] == 3
    assert tower(context, head={**HEAD, "num_keypoints": 17}).head.seen[2] == 17


def test_several_maps_do_not_fit_a_part_of_one():
    assert refusal(backbone=dict(type=Stem, channels=[4, 8])) == (
        "model.head: Last takes one feature map, but the part before it gives 2. "
        "Put a neck before it that makes one of them, or let the backbone give one."
    )


def test_channels_and_strides_that_a_plug_in_does_not_declare_are_measured():
    model = tower(backbone=dict(type=Undeclared), neck=dict(type=UndeclaredNeck))
    assert (model.backbone.out_channels, model.backbone.out_strides) == ((5,), (4,))
    assert (model.neck.out_channels, model.neck.out_strides) == ((7,), (8,))
    assert model.head.seen[:2] == (7, (8,))
    assert model.backbone.training


def test_what_depends_on_a_broken_part_is_not_reported_again():
    assert refusal(backbone=dict(type=Stem, channels=4)) == (
        "model.backbone.channels: must be a list (an int each), not 4."
    )


def test_all_broken_parts_are_reported():
    class Refusing(Zero):
        def __init__(self, weight: float) -> None:
            raise ValueError(f"weight is {weight}")

    class Unreadable(Stem):
        def __init__(self) -> None:
            raise DataError("no such file")

    losses = {name: dict(type=Refusing, weight=i) for i, name in enumerate("ab")}
    with pytest.raises(ConfigError) as caught:
        tower(backbone=dict(type=Unreadable), head={**HEAD, "losses": losses})
    assert [str(problem) for problem in caught.value.problems] == [
        "model.backbone: Unreadable: no such file",
        "model.head.losses.a.weight: Refusing: weight is 0",
        "model.head.losses.b.weight: Refusing: weight is 1",
    ]


def test_a_part_that_needs_what_nothing_gives_says_so():
    with pytest.raises(ConfigError) as caught:
        construct(HEADS, HEAD, {"in_channels": (4,), "in_strides": (4,)}, "head")
    assert str(caught.value) == (
        "head: Last needs 'num_keypoints', and nothing here gives it. Write num_keypoints=..., or "
        "give it to the build function as a keyword argument."
    )


def test_an_object_that_is_built_already_is_kept():
    stem = Stem([6])
    model = tower(backbone=stem)
    assert model.backbone is stem
    assert model.head.seen[0] == 6
    assert construct(BACKBONES, stem) is stem
    with pytest.raises(ConfigError, match="a loss is written dict"):
        construct(LOSSES, "MSELoss", path="loss")


def test_the_context_gives_any_parameter_of_that_name():
    weight = nn.Parameter(torch.zeros(1))
    optimizer = construct(OPTIMIZERS, dict(type="SGD", lr=0.1), {"params": [weight]})
    assert optimizer.param_groups[0]["params"] == [weight]


def test_every_part_remembers_where_it_comes_from():
    model = tower(neck=dict(type="IdentityNeck"))
    names = {(part.registry, part.name) for part in parts_of([model])}
    assert names == {
        ("models", "Tower"),
        ("backbones", "Stem"),
        ("necks", "IdentityNeck"),
        ("heads", "Last"),
        ("codecs", "Drawn"),
        ("losses", "Zero"),
    }
    own = next(part for part in parts_of(model) if part.name == "IdentityNeck")
    assert own == REGISTRIES["necks"].part("IdentityNeck")
    assert own.distribution == "dlcreg"


def test_a_schedule_remembers_its_origin_without_saving_it():
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    cfg = dict(type="MultiStepLR", milestones=[1])
    schedule = construct(REGISTRIES["schedulers"], cfg, {"optimizer": optimizer})
    assert [part.name for part in parts_of(schedule)] == ["MultiStepLR"]
    assert not any("dlcreg" in key for key in schedule.state_dict())
