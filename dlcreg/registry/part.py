"""Where a class comes from, as it is remembered and saved."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """What an object that was built from a config remembers of its origin.

    Args:
        registry: plural name of the registry, such as ``heads``.
        name: name in that registry.
        distribution: package that provides it; empty for a class of the user's own script.
        version: version of that package.
        target: ``module:Class``.
        sha256: hash of the file that defines the class; empty where there is none.
        replaces: qualified name of what it was registered in place of, with ``force=True``.
    """

    registry: str
    name: str
    distribution: str
    version: str
    target: str
    sha256: str = ""
    replaces: str = ""


def target_of(cls: type) -> str:
    """Return ``module:Class`` of a class."""
    return f"{cls.__module__}:{cls.__qualname__}"


def where(cls: type) -> str:
    """Return file and line of a class, or ``module:Class`` where it has no file."""
    try:
        line = inspect.getsourcelines(cls)[1]
        return f"{inspect.getsourcefile(cls)}:{line}"
    except (OSError, TypeError):
        return target_of(cls)


def source_of(cls: type) -> str | None:
    """Return the file that defines a class, or None."""
    try:
        return inspect.getsourcefile(cls)
    except (OSError, TypeError):
        return None


def resolve(path: str) -> Any:
    """Import what ``module:Class`` names."""
    module, _, attribute = path.partition(":")
    target: Any = importlib.import_module(module)
    for name in attribute.split("."):
        target = getattr(target, name)
    return target
