"""What is written by hand, held against what is really there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcreg.schema.check import WIRED
from dlcreg.schema.shapes import Shape

_FEATURES = ("in_channels", "in_strides")


@dataclass(frozen=True)
class Guess:
    """A value in a context that stands in for one that is not known: nothing is held against it."""

    value: Any


def mismatch(name: str, value: Any, context: Mapping[str, Any]) -> str:
    """Return what is wrong with a value written for a wired parameter, or nothing.

    Args:
        name: the parameter.
        value: what the config says.
        context: what is there.
    """
    if name not in WIRED or name not in context or value is None:
        return ""
    real = context[name]
    if isinstance(real, Guess) or not isinstance(real, (int, float, str, list, tuple)):
        return ""
    if _agrees(name, value, real, context):
        return ""
    if name == "skeleton":
        return (
            f"{_plain(value)} joins keypoints that the data does not have: it has "
            f"{context['num_keypoints']}, counted from 0."
        )
    if name in _FEATURES:
        there = f"the part before it gives {_plain(real)}"
    else:
        there = f"the data has {_plain(real)}"
    return f"{_plain(value)} is written here, but {there}. Leave {name!r} out: it is filled in."


def one_of_several(cls: type, name: str, value: Any, shape: Shape) -> str:
    """Return why several feature maps do not fit a part that takes one, or nothing."""
    if name not in _FEATURES or not isinstance(value, tuple) or shape.fits(value):
        return ""
    if len(value) == 1:
        return ""
    return (
        f"{cls.__name__} takes one feature map, but the part before it gives {len(value)}. "
        "Put a neck before it that makes one of them, or let the backbone give one."
    )


def wired_value(value: Any, shape: Shape) -> Any:
    """Return a value as the parameter wants it: the only entry where it takes no list."""
    if isinstance(value, tuple) and len(value) == 1 and not shape.fits(value):
        return value[0]
    return value


def _agrees(name: str, value: Any, real: Any, context: Mapping[str, Any]) -> bool:
    if name == "num_individuals":
        return not isinstance(value, int) or value >= real
    if name in ("flip_pairs", "unique_flip_pairs"):
        return _pairs(value) == _pairs(real)
    if name == "skeleton":
        count = context.get("num_keypoints")
        return not isinstance(count, int) or all(0 <= i < count for i in _flat(value))
    value, real = _tuples(value), _tuples(real)
    return value == real or (value,) == real


def _pairs(value: Any) -> set[frozenset]:
    return {frozenset(pair) for pair in value}


def _flat(value: Any) -> list[Any]:
    return [i for pair in value for i in pair if isinstance(i, int)]


def _tuples(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_tuples(item) for item in value)
    return value


def _plain(value: Any) -> str:
    """Return a value as a config would write it, a list of one as that one."""
    value = _tuples(value)
    if isinstance(value, tuple) and len(value) == 1 and not isinstance(value[0], tuple):
        value = value[0]
    return repr(list(value)) if isinstance(value, tuple) else repr(value)
