"""Plain values as Python text."""

from __future__ import annotations

import keyword
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcreg.errors import ConfigError, Problem

_WIDTH = 100


def python_text(data: Mapping[str, Any]) -> str:
    """Return a config as Python text: one assignment for each key, ``type`` first in each dict.

    Raises:
        ConfigError: values that are not plain, all of them.
    """
    problems: list[Problem] = []
    lines = []
    for key, value in data.items():
        if not _is_name(key):
            problems.append(Problem(str(key), f"{key!r} cannot be the name of a variable."))
        text = _text(value, str(key), 0, len(str(key)) + 3, problems)
        lines.append(f"{key} = {text}\n")
    if problems:
        raise ConfigError(problems)
    return "".join(lines)


def _text(value: Any, path: str, indent: int, used: int, problems: list[Problem]) -> str:
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: key != "type")
        named = all(_is_name(key) for key in keys)
        opening, closing = ("dict(", ")") if named else ("{", "}")
        parts = []
        for key in keys:
            label = f"{key}=" if named else f"{key!r}: "
            inner = _text(value[key], f"{path}.{key}", indent + 4, len(label), problems)
            parts.append(label + inner)
        return _joined(opening, parts, closing, indent, used)
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [
            _text(item, f"{path}.{i}", indent + 4, 0, problems) for i, item in enumerate(value)
        ]
        if isinstance(value, list):
            return _joined("[", parts, "]", indent, used)
        if isinstance(value, tuple):
            return _joined("(", parts, ",)" if len(parts) == 1 else ")", indent, used)
        return _joined("[", sorted(parts), "]", indent, used)
    if isinstance(value, type):
        return repr(f"{value.__module__}:{value.__qualname__}")
    if isinstance(value, Path):
        return repr(value.as_posix())
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if value is None or type(value) in (bool, int, float, str, bytes):
        return repr(value)
    problems.append(
        Problem(path, f"an object of {type(value).__name__} cannot be written into a config.")
    )
    return "None"


def _is_name(key: Any) -> bool:
    # Python reads other spellings of a letter, such as the ordinal indicator, as that letter
    plain = isinstance(key, str) and key.isascii() and key.isidentifier()
    return plain and not keyword.iskeyword(key)


def _joined(opening: str, parts: list[str], closing: str, indent: int, used: int) -> str:
    one_line = opening + ", ".join(parts) + closing
    if "\n" not in one_line and indent + used + len(one_line) < _WIDTH:
        return one_line
    pad = " " * (indent + 4)
    body = "".join(f"{pad}{part},\n" for part in parts)
    return f"{opening}\n{body}{' ' * indent}{closing.lstrip(',')}"


def portable(value: Any) -> Any:
    """Return a value made of containers, strings and numbers alone, for a checkpoint.

    A class becomes its import path, an object made in Python a note that it was one.
    """
    if isinstance(value, Mapping):
        return {str(key): portable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [portable(item) for item in value]
    if isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    if isinstance(value, Path):
        return value.as_posix()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return f"<{type(value).__module__}.{type(value).__qualname__} made in Python>"
