"""Configs written in YAML or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from dlcreg.config.tree import Origins, Path_
from dlcreg.errors import ConfigError, Location, Problem

BASE = "_base_"


class Loader(yaml.SafeLoader):
    """YAML's safe loader that knows ``1e-3`` as a number, as YAML 1.2 and Python do."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"""^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?
        |[-+]?(?:[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)
        |[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
        |[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
        re.X,
    ),
    list("-+0123456789."),
)


class MarkupFile:
    """A config file in YAML or JSON.

    Args:
        path: the file.
        text: its content.

    Raises:
        ConfigError: it cannot be read, or has a key twice.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self._origins: Origins = {}
        self._problems: list[Problem] = []
        self.data = self._json(text) if path.suffix.lower() == ".json" else self._yaml(text)
        if self._problems:
            raise ConfigError(self._problems)
        if self.data is None:
            self.data = {}
        if not isinstance(self.data, dict):
            message = f"a config is a set of 'key: value' pairs, not a {type(self.data).__name__}."
            raise ConfigError(Problem("", message, self._location(1, 1)))

    def bases(self) -> tuple[Any, Location | None]:
        """Return what ``_base_`` says, and where."""
        where = self._origins.get((BASE,))
        return self.data.get(BASE, []), where if isinstance(where, Location) else None

    def values(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values; names that begin with an underscore are helpers, such as anchors."""
        return {k: v for k, v in self.data.items() if not k.startswith("_")}

    def origins(self) -> Origins:
        """Return where each value is written."""
        return {path: place for path, place in self._origins.items() if path[0][:1] != "_"}

    def _yaml(self, text: str) -> Any:
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            self._read(node)
            return None if self._problems else loader.construct_document(node)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = self._location(mark.line + 1, mark.column + 1) if mark else None
            message = f"this is not YAML: {error.problem or error.context}"
            raise ConfigError(Problem("", message, where)) from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            message = f"this is not YAML: {str(error).splitlines()[0]}"
            raise ConfigError(Problem("", message, self._location(1, 1))) from None
        finally:
            loader.dispose()

    def _json(self, text: str) -> Any:
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            where = self._location(error.lineno, error.colno)
            raise ConfigError(Problem("", f"this is not JSON: {error.msg}", where)) from None
        loader = Loader(text.replace("\t", " "))  # JSON is YAML but for its tabs
        try:
            node = loader.get_single_node()
        except yaml.YAMLError:  # but for some escapes: then without places
            return data
        finally:
            loader.dispose()
        if node is not None:
            self._read(node)
        return data

    def _read(self, root: yaml.Node) -> None:
        for path, place in self._inside(root, (), ()):
            self._origins.setdefault(path, place)

    def _inside(
        self, node: yaml.Node, path: Path_, around: tuple[int, ...]
    ) -> Iterator[tuple[Path_, Location]]:
        if id(node) in around:
            message = "a value that contains itself."
            self._problems.append(Problem(".".join(path), message, self._mark(node)))
            return
        around = (*around, id(node))
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                here = (*path, str(index))
                yield here, self._mark(item)
                yield from self._inside(item, here, around)
        elif isinstance(node, yaml.MappingNode):
            yield from self._mapping(node, path, around)

    def _mapping(
        self, node: yaml.MappingNode, path: Path_, around: tuple[int, ...]
    ) -> Iterator[tuple[Path_, Location]]:
        seen: set[str] = set()
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
                continue
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            here = (*path, name)
            if isinstance(key, yaml.ScalarNode) and not key.tag.endswith((":str", ":int")):
                message = f"the key {name!r} means {_meaning(key)} in YAML. Write '{name}': ..."
                self._problems.append(Problem(".".join(path), message, self._mark(key)))
            if name in seen:
                message = f"{name!r} is said twice here. Leave one out."
                self._problems.append(Problem(".".join(here), message, self._mark(key)))
            seen.add(name)
            yield here, self._mark(key)
            yield from self._inside(value, here, around)
        for value in merged:
            yield from self._inside(value, path, around)

    def _mark(self, node: yaml.Node) -> Location:
        mark = node.start_mark
        return self._location(mark.line + 1, mark.column + 1)

    def _location(self, line: int, column: int) -> Location:
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return Location(str(self.path), line, column, text)


def _meaning(key: yaml.ScalarNode) -> str:
    return "true or false" if key.tag.endswith(":bool") else f"a {key.tag.rpartition(':')[2]}"
