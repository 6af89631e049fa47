"""A loaded config: plain values, and where each of them was written."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcreg.config.dump import python_text
from dlcreg.errors import ConfigError, Location, Problem

Path_ = tuple[str, ...]
Origins = dict[Path_, "Location | str"]
"""Where a value was written: a place in a file, or words such as ``--cfg-options``."""

DELETE = "_delete_"


class ConfigTree:
    """A config as nested dicts, lists and scalars.

    Args:
        data: the values.
        filename: the file that it was loaded from, if any.
        origins: where the values were written.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        filename: Path | None = None,
        origins: Origins | None = None,
    ) -> None:
        self.data: dict[str, Any] = plain(data or {})
        self.filename = filename
        self.origins: Origins = dict(origins or {})

    def __repr__(self) -> str:
        return f"ConfigTree({self.filename or 'made in Python'})"

    def locate(self, path: str) -> Location | None:
        """Return where the value at a dotted path was written, or the closest value around it."""
        origin = self._origin(path)
        return origin if isinstance(origin, Location) else None

    def source_of(self, path: str) -> str:
        """Return where a value comes from that was written in no file, such as ``--project``."""
        origin = self._origin(path)
        return origin if isinstance(origin, str) else ""

    def placed(self, problem: Problem) -> Problem:
        """Return a problem with its place, at the innermost value around it that is there."""
        if problem.location is not None or problem.source:
            return problem
        path = _there(self.data, split_path(problem.path))
        return Problem(path, problem.message, self.locate(path), self.source_of(path))

    def get(self, path: str, default: Any = None) -> Any:
        """Return the value at a dotted path."""
        value: Any = self.data
        for key in split_path(path):
            if isinstance(value, Mapping) and key in value:
                value = value[key]
            elif isinstance(value, (list, tuple)) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            else:
                return default
        return value

    def set(self, path: str, value: Any, source: str = "") -> None:
        """Set a value; a dict is merged into a dict, ``_delete_=True`` in it replaces that.

        Args:
            path: dotted; a number is a place in a list.
            value: plain values.
            source: who says so, for messages.

        Raises:
            ConfigError: the path leads through a value that has nothing inside.
        """
        keys = split_path(path)
        holder: Any = self.data
        for depth, key in enumerate(keys[:-1]):
            if isinstance(holder, dict) and holder.get(key) is None:
                self.origins[keys[: depth + 1]] = source
            holder = _step(holder, key, keys[: depth + 1], path, source)
        last: Any = keys[-1]
        if isinstance(holder, list):
            last = _index(holder, last, keys, path, source)
        elif not isinstance(holder, dict):
            raise _through(keys[:-1], holder, path, source)
        old = holder[last] if isinstance(holder, list) else holder.get(last)
        merged = isinstance(old, dict) and isinstance(value, Mapping) and not value.get(DELETE)
        if merged:
            merge(old, plain(value, keep_delete=True), self.origins, {}, keys, source)
        else:
            _forget(self.origins, keys)
            holder[last] = plain(value)
        self.origins[keys] = source

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the values."""
        return copy.deepcopy(self.data)

    def dump(self) -> str:
        """Return the config as Python text that loads to the same values.

        Raises:
            ConfigError: a value is no plain one, such as an object made in Python.
        """
        return python_text(self.data)

    def _origin(self, path: str) -> Location | str | None:
        keys = split_path(path)
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.origins:
                return self.origins[keys[:end]]
        return Location(str(self.filename), 1) if self.filename else None


def _there(value: Any, keys: Path_) -> str:
    """Return as much of a path as leads to a value; a key may itself have dots in it."""
    items = dict(enumerate(value)) if isinstance(value, (list, tuple)) else value
    if not isinstance(items, Mapping):
        return ""
    by_name = {str(key): item for key, item in items.items()}
    longest = ""
    for end in range(1, len(keys) + 1):
        name = ".".join(keys[:end])
        if name in by_name:
            inside = _there(by_name[name], keys[end:])
            longest = max(longest, f"{name}.{inside}" if inside else name, key=len)
    return longest


def split_path(path: str) -> Path_:
    """Return the keys of a dotted path; ``a[0].b`` is ``a.0.b``."""
    return tuple(key for key in re.sub(r"\[(\d+)\]", r".\1", path).split(".") if key)


def merge(
    base: dict[str, Any],
    child: Mapping[str, Any],
    origins: Origins,
    child_origins: Origins,
    at: Path_ = (),
    source: str = "",
) -> None:
    """Merge a config into the one it builds on, in place.

    Dicts are merged key by key, all else is replaced. ``_delete_=True`` in a dict replaces the
    base's; a dict whose keys are numbers changes single items of a list.

    Args:
        base: what is changed.
        child: what has the last word.
        origins: of `base`, changed along with it.
        child_origins: of `child`.
        at: where both stand.
        source: origin of what `child_origins` does not know.
    """
    for key, value in child.items():
        if key == DELETE:
            continue
        here = (*at, key)
        old = base.get(key)
        dropped = isinstance(value, Mapping) and value.get(DELETE)
        if isinstance(old, list) and isinstance(value, Mapping) and _indices(value, old):
            items: dict[str, Any] = {str(i): item for i, item in enumerate(old)}
            merge(
                items, {str(k): v for k, v in value.items()}, origins, child_origins, here, source
            )
            base[key] = list(items.values())
        elif isinstance(old, dict) and isinstance(value, Mapping) and not dropped:
            merge(old, value, origins, child_origins, here, source)
        else:
            _forget(origins, here)
            base[key] = plain(value)
            for path, origin in child_origins.items():
                if path[: len(here)] == here:
                    origins[path] = origin
        if here in child_origins:
            origins[here] = child_origins[here]
        elif source:
            origins[here] = source


def plain(value: Any, keep_delete: bool = False) -> Any:
    """Return nested dicts and lists as such, without ``_delete_``; anything else as it is."""
    if isinstance(value, Mapping):
        return {
            key: plain(item, keep_delete)
            for key, item in value.items()
            if keep_delete or key != DELETE
        }
    if type(value) in (list, tuple):
        return type(value)(plain(item, keep_delete) for item in value)
    return value


def _indices(value: Mapping[Any, Any], items: list[Any]) -> bool:
    keys = [str(key) for key in value]
    return bool(keys) and all(key.isdigit() and int(key) < len(items) for key in keys)


def _forget(origins: Origins, path: Path_) -> None:
    for key in [key for key in origins if key[: len(path)] == path]:
        del origins[key]


def _step(holder: Any, key: str, keys: Path_, path: str, source: str) -> Any:
    if isinstance(holder, list):
        return holder[_index(holder, key, keys, path, source)]
    if not isinstance(holder, dict):
        raise _through(keys[:-1], holder, path, source)
    if holder.get(key) is None:
        holder[key] = {}
    elif isinstance(holder[key], tuple):
        holder[key] = list(holder[key])
    return holder[key]


def _index(holder: list[Any], key: str, keys: Path_, path: str, source: str) -> int:
    if key.isdigit() and int(key) < len(holder):
        return int(key)
    name, count = ".".join(keys[:-1]), len(holder)
    wanted = f"a number from 0 to {count - 1}" if count else "nothing, it is empty"
    message = f"{name} is a list of {count}; after it comes {wanted}, not {key!r}."
    raise ConfigError(Problem(path, message, source=source))


def _through(keys: Path_, value: Any, path: str, source: str) -> ConfigError:
    message = f"{'.'.join(keys)} is {value!r}, which has nothing inside."
    return ConfigError(Problem(path, message, source=source))
