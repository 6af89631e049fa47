"""What two configs differ in, value by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlcreg.config.dump import portable
from dlcreg.config.tree import ConfigTree
from dlcreg.errors import Location

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "(not there)"})()
"""The value of a side that has none."""


@dataclass(frozen=True)
class Difference:
    """A value that two configs do not share.

    Args:
        path: dotted path of the value.
        left: value in the first config, or `MISSING`.
        right: value in the second config, or `MISSING`.
        left_place: where it is written; None for a value made in Python, or for none at all.
        right_place: likewise.
    """

    path: str
    left: Any
    right: Any
    left_place: Location | None = None
    right_place: Location | None = None


def differences(left: ConfigTree, right: ConfigTree) -> list[Difference]:
    """Return what differs, in the order of the configs.

    A list is as good as a tuple, a class as its import path: YAML, JSON and checkpoints know no
    others. A whole dict or list that only one side has is one difference; so are lists of plain
    values, and items of a list that are of two types.
    """
    return [
        Difference(path, a, b, _place(left, path, a), _place(right, path, b))
        for path, a, b in _walk(portable(left.data), portable(right.data), "")
    ]


def _walk(left: Any, right: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    one, other = _inside(left), _inside(right)
    if one is None or other is None or type(left) is not type(right):
        if not _same(left, right):
            yield path, left, right
        return
    for key in dict.fromkeys([*one, *other]):
        here = f"{path}.{key}" if path else key
        a, b = one.get(key, MISSING), other.get(key, MISSING)
        if isinstance(left, list) and _type(a) != _type(b):
            yield here, a, b
        else:
            yield from _walk(a, b, here)


def _inside(value: Any) -> Mapping[str, Any] | None:
    """Return what is compared one by one: the items of a dict, or of a list of such."""
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return {str(index): item for index, item in enumerate(value)}
    return value if isinstance(value, Mapping) else None


def _type(value: Any) -> Any:
    return value.get("type") if isinstance(value, Mapping) else None


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right) or (left != left and right != right)  # NaN is NaN


def _place(tree: ConfigTree, path: str, value: Any) -> Location | None:
    return None if value is MISSING else tree.locate(path)
