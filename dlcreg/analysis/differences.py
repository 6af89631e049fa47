"""Two descriptions of an analysis, held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHOWN = 4  # differences that a message names
_LONGEST = 60  # characters of a value


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Return where two descriptions differ, for a message; empty where they do not.

    Args:
        theirs: in plain containers.
        ours: likewise. A key that is missing is one whose value is None.

    >>> differences({"stop": 3, "crop": {"margin": 5}}, {"stop": 50, "crop": {"margin": 5}})
    'stop=3 (now 50)'
    """
    found = _found(theirs, ours, "")
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


def _found(theirs: Mapping[str, Any], ours: Mapping[str, Any], before: str) -> list[str]:
    found = []
    for key in sorted({*theirs, *ours}):
        old, new = theirs.get(key), ours.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _found(old, new, f"{before}{key}.")
        else:
            found.append(f"{before}{key}={_shown(old)} (now {_shown(new)})")
    return found


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
