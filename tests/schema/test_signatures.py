"""The signature is the schema: what a class takes, found through ``**kwargs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import pytest
from mmengine.optim import MultiStepLR
from torch import nn
from torch.optim import AdamW

from dlcreg.contracts import Backbone, Codec, Head, Loss
from dlcreg.errors import Problem
from dlcreg.registry import REGISTRIES
from dlcreg.schema import Checker, Deferred, shape_of, signature_of

if TYPE_CHECKING:
    from nowhere import Unknown


class Base:
    def __init__(self, depth: int, width: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Fixed(Base):
    def __init__(self, extra: str = "", **kwargs: Any) -> None:
        super().__init__(width=2.0, **kwargs)


class ByPosition(Base):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(18, *args, **kwargs)


class Elsewhere(nn.Module):
    def __init__(self, name: str, **options: Any) -> None:
        super().__init__()
        self.options = dict(**options)


class Forgetful(nn.Module):
    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Half:
    def __init__(self, known: int, unknown: Unknown = None) -> None:
        pass


@pytest.mark.parametrize(
    ("cls", "names", "is_open"),
    [
        (Base, ["depth", "width"], False),
        (Fixed, ["extra", "depth"], False),
        (ByPosition, ["width"], False),
        (Elsewhere, ["name"], True),
        (Forgetful, ["name"], False),
        (Path, [], True),
    ],
)
def test_keywords_are_followed_to_the_base_that_takes_them(cls, names, is_open):
    signature = signature_of(cls)
    if cls is not Path:
        assert list(signature.parameters) == names
    assert signature.open == is_open or cls is Path


def test_signatures_of_libraries_are_read():
    assert list(signature_of(AdamW).parameters)[:3] == ["params", "lr", "betas"]
    scheduler = signature_of(MultiStepLR).parameters
    assert "param_name" not in scheduler  # LRSchedulerMixin gives it by position
    assert scheduler["milestones"].required
    assert not scheduler["gamma"].required


def test_an_annotation_that_cannot_be_resolved_takes_anything():
    parameters = signature_of(Half).parameters
    assert parameters["known"].annotation is int
    assert shape_of(parameters["unknown"].annotation).fits(object())


class Options(TypedDict, total=False):
    share: float
    seed: int


GOOD = [
    (int, 3),
    (float, 3),
    (float, 0.5),
    (str | Path, "a"),
    (Path, "a"),
    (int | None, None),
    (Literal["a", 1], 1),
    (Sequence[int], (1, 2)),
    (list[float], [1, 0.5]),
    (tuple[int, int], [1, 2]),
    (tuple[int, ...], [1, 2, 3]),
    (float | tuple[float, float], [0.5, 1]),
    (dict[str, float], {"a": 1}),
    (Mapping[str, Any], {"a": object()}),
    (Options, {"share": 0.5}),
    (Any, object()),
    (Annotated[Any, Deferred("transforms")], [{"type": "Flip"}, len]),
    (Annotated[Any, Deferred("transforms")], len),
    (Base, {"depth": 3}),
    (Base | str, "a"),
    (dict[str, Loss], {"a": {"type": "MSELoss"}}),
    (Loss | dict[str, Loss], {"type": "MSELoss", "weight": 2}),
    (Loss | dict[str, Loss], {"a": {"type": "MSELoss"}}),
]
BAD = [
    (int, 3.0, "a: must be an int, not 3.0."),
    (int, True, "a: must be an int, not True."),
    (bool, 1, "a: must be True or False, not 1."),
    (float, "1", "a: must be a number, not the string '1'."),
    (str, None, "a: must be a string, not None."),
    (int | None, "x", "a: must be an int or None, not the string 'x'."),
    (Literal["mean", "sum"], "maen", "a: must be one of 'mean', 'sum', not the string 'maen'. "
     "Did you mean 'mean'?"),
    (Literal[1, 2], True, "a: must be one of 1, 2, not True."),
    (Sequence[int], "12", "a: must be a list (an int each), not the string '12'."),
    (list[int], [1, "2"], "a.1: must be an int, not the string '2'."),
    (tuple[int, int], [1], "a: must be a list of 2 (an int, an int), not [1]."),
    (dict[str, float], {"b": "c"}, "a.b: must be a number, not the string 'c'."),
    (dict[str, int], [1], "a: must be a dict of names (an int each), not [1]."),
    (Options, {"shaer": 0.5}, "a.shaer: unknown key 'shaer'. Did you mean 'share'?"),
    (Options, {"seed": 0.5}, "a.seed: must be an int, not 0.5."),
    (Base, {"depth": 3, "widht": 1}, "a.widht: Base takes no 'widht'. Did you mean 'width'?"),
    (Base, {}, "a: Base needs 'depth' (an int). Add depth=..."),
    (Base | str, 3, "a: must be a Base or a string, not 3."),
    (Codec, None, "a: must be a codec, not None."),
    (Annotated[Any, Deferred("transforms")], "Flip",
     "a: a transform is written dict(type='Flip'), not 'Flip' alone."),
    (Annotated[Any, Deferred("transforms")], [{"type": "Flip", "q": 1}],
     "a.0.q: Flip takes no 'q'. It takes: p, direction, flip_pairs, num_keypoints."),
    (Annotated[Any, Deferred("optimizers")], {"type": "SGD", "params": []},
     "a.params: 'params' is given to SGD by dlcreg. Leave it out."),
    (Loss | dict[str, Loss], {"a": {"type": "MSELos"}},
     "a.a.type: there is no loss 'MSELos'. Did you mean 'MSELoss'? Known: <losses>."),
    (nn.Module, {"type": "PoseModell"},
     "a.type: there is no model 'PoseModell'. Did you mean 'PoseModel'? "
     "Known: DetectionModel, PoseModel."),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value"), GOOD)
def test_a_value_that_fits_its_annotation_is_taken(annotation, value):
    assert problems(annotation, value) == []


@pytest.mark.parametrize(("annotation", "value", "message"), BAD)
def test_a_value_that_does_not_fit_says_what_was_wanted(annotation, value, message):
    message = message.replace("<losses>", ", ".join(REGISTRIES["losses"].names()))
    assert [str(problem) for problem in problems(annotation, value)] == [message]


def problems(annotation: Any, value: Any) -> list[Problem]:
    checker = Checker()
    checker.value(value, shape_of(annotation), "a")
    return checker.problems


def test_deferred_configs_may_use_what_their_component_gives_and_takes_out():
    mark = Annotated[Any, Deferred("schedulers")]
    value = {"type": "MultiStepLR", "milestones": [1], "convert_to_iter_based": True}
    assert problems(mark, value) == []
    extended = Annotated[Any, Deferred("hooks", provided=("state",), extra=("when",))]
    assert problems(extended, {"type": "EMAHook", "priority": "LOW", "when": 1}) == []


def test_contracts_are_told_apart_from_ordinary_classes():
    assert shape_of(Head).registry.name == "heads"
    assert shape_of(Backbone | None).members[0].registry.name == "backbones"
    assert shape_of(nn.Module).registry.name == "models"
    assert shape_of(Base).cls is Base
