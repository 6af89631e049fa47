"""Where the parts of a finished object come from."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from dlcreg import contracts
from dlcreg.plugins import OWN
from dlcreg.registry import Part

_ATTRIBUTE = "dlcreg_part"

_BESIDE: weakref.WeakKeyDictionary[Any, Part] = weakref.WeakKeyDictionary()
"""Origins of objects that are not to carry it: mmengine's schedulers save all their attributes."""


def remember(built: Any, part: Part) -> None:
    """Let an object that was built from a config know where its class comes from."""
    if part.registry == "schedulers":
        _BESIDE[built] = part
        return
    try:
        setattr(built, _ATTRIBUTE, part)
    except (AttributeError, TypeError):  # no room for it, such as a class with __slots__
        return


def origin(built: Any) -> Part | None:
    """Return where an object comes from; None if no config made it."""
    part = getattr(built, _ATTRIBUTE, None)
    if isinstance(part, Part):
        return part
    try:
        return _BESIDE.get(built)
    except TypeError:  # neither hashable nor weakly referable
        return None


def parts_of(*objects: Any) -> list[Part]:
    """Return the origins of objects and of everything inside them, each once.

    Args:
        objects: models, data, solvers, or containers of such.
    """
    found: dict[Part, None] = {}
    for item in _walk(objects, set()):
        part = origin(item)
        if part is not None:
            found[part] = None
    return list(found)


def _walk(item: Any, seen: set[int]) -> Iterator[Any]:
    if id(item) in seen:
        return
    seen.add(id(item))
    if isinstance(item, Mapping):
        inside = list(item.values())
    elif isinstance(item, (list, tuple)):
        if item and isinstance(item[0], (str, int, float)):
            return
        inside = list(item)
    elif _is_ours(item):
        yield item
        inside = list(vars(item).values()) if hasattr(item, "__dict__") else []
    else:
        return
    for value in inside:
        yield from _walk(value, seen)


def _is_ours(item: Any) -> bool:
    if isinstance(item, type):
        return False
    kinds = (nn.Module, contracts.Codec, contracts.Dataset, contracts.Transform, contracts.Metric)
    own = type(item).__module__.partition(".")[0] == OWN and not isinstance(item, Part)
    return own or isinstance(item, kinds) or origin(item) is not None
