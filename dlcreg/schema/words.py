"""What is said of values that do not fit."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from dlcreg.schema.shapes import Choice, DeferredPart, Either, ForeignPart, PartOf, Shape, a


def wrong_value(value: Any, shape: Shape) -> str:
    """Say what was wanted and what was found."""
    if isinstance(shape, PartOf) and isinstance(value, str):
        return f"{a(shape.registry.kind)} is written dict(type={value!r}), not {value!r} alone."
    if isinstance(shape, DeferredPart) and isinstance(value, str):
        return f"{a(shape.registry.kind)} is written dict(type={value!r}), not {value!r} alone."
    if isinstance(shape, ForeignPart) and isinstance(value, str):
        return f"{shape.mark.words} is written dict(type={value!r}), not {value!r} alone."
    choices = shape.members if isinstance(shape, Either) else (shape,)
    names = [v for c in choices if isinstance(c, Choice) for v in c.values if isinstance(v, str)]
    hint = suggested(value, names, otherwise=False) if isinstance(value, str) else ""
    return f"must be {shape.words}, not {shown(value)}.{hint}"


def shown(value: Any) -> str:
    """Return a value in a few words."""
    if isinstance(value, str):
        return f"the string {_short(repr(value))}"
    if isinstance(value, Mapping):
        return f"a dict with the keys {', '.join(map(str, value))}" if value else "an empty dict"
    if isinstance(value, (list, tuple)):
        return _short(repr(list(value)))
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    return a(type(value).__name__)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"


def suggested(key: str, known: list[str], otherwise: bool = True) -> str:
    """Return which of some names is meant, else which there are if `otherwise`; or nothing."""
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known: {', '.join(known)}." if otherwise and known else ""
