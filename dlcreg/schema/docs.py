"""What docstrings say of a class and of its parameters."""

from __future__ import annotations

import inspect
import re

from dlcreg.plugins.source import first_sentence

_ENTRY = re.compile(r"^(?P<indent> +)\*{0,2}(?P<name>\w+)(?: \([^)]*\))?: (?P<text>.*)$")


def purpose(cls: type) -> str:
    """Return the first sentence of a class's own docstring; empty where it has none."""
    text = inspect.getdoc(cls) if "__doc__" in vars(cls) and cls.__doc__ else ""
    return first_sentence(text or "")


def argument_docs(cls: type) -> dict[str, str]:
    """Return what the ``Args:`` of a class, or of the bases it passes them on to, say of each."""
    found: dict[str, str] = {}
    for owner in cls.__mro__:
        init = vars(owner).get("__init__")
        for text in (owner.__doc__, getattr(init, "__doc__", None)):
            for name, words in _arguments(text or "").items():
                found.setdefault(name, words)
    return found


def _arguments(docstring: str) -> dict[str, str]:
    """Return the entries of the section ``Args:`` of a docstring in Google's style."""
    lines = inspect.cleandoc(docstring).splitlines()
    start = next((i for i, line in enumerate(lines) if line in ("Args:", "Arguments:")), None)
    if start is None:
        return {}
    found: dict[str, str] = {}
    name, depth = "", 0
    for line in lines[start + 1 :]:
        if line and not line.startswith(" "):
            break
        entry = _ENTRY.match(line)
        if entry and (not depth or len(entry["indent"]) <= depth):
            name, depth = entry["name"], len(entry["indent"])
            found[name] = entry["text"].strip()
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found
