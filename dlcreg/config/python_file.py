"""Configs written in Python: run for their values, parsed for the places of these."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict

from dlcreg.config.tree import Origins, Path_
from dlcreg.errors import ConfigError, Location, Problem

BASE = "_base_"


class PythonFile:
    """A config file in Python.

    Args:
        path: the file.
        text: its content.

    Raises:
        ConfigError: it is not Python.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        try:
            self.tree = ast.parse(text, str(path))
        except (SyntaxError, ValueError) as error:
            line, column = getattr(error, "lineno", 1) or 1, getattr(error, "offset", 1) or 1
            message = f"this is not Python: {getattr(error, 'msg', error)}"
            raise ConfigError(Problem("", message, self._location(line, max(column, 1)))) from None

    def bases(self) -> tuple[Any, Location | None]:
        """Return what ``_base_`` says, and where."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and _target(node) == BASE:
                where = self._at(node)
                try:
                    return ast.literal_eval(node.value), where
                except ValueError:
                    message = "must be a path or a list of paths, written out."
                    raise ConfigError(Problem(BASE, message, where)) from None
        return [], None

    def values(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """Run the file and return what it assigns.

        Args:
            base: the values of its bases, which it can read as ``_base_.name``.

        Raises:
            ConfigError: it raised an exception; the place is the line that did.
        """
        body = [n for n in self.tree.body if not (isinstance(n, ast.Assign) and _target(n) == BASE)]
        module = ast.Module(body=body, type_ignores=[])
        names: dict[str, Any] = {"__file__": str(self.path), "__name__": "__config__"}
        names[BASE] = ConfigDict(base)
        try:
            exec(compile(module, str(self.path), "exec"), names)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if frame.filename == str(self.path)]
            where = self._of_frame(own[-1]) if own else None
            raise ConfigError(Problem("", f"{type(error).__name__}: {error}", where)) from error
        helpers = _defined(self.tree)
        return {k: v for k, v in names.items() if not k.startswith("_") and k not in helpers}

    def origins(self) -> Origins:
        """Return where each value is written."""
        found: Origins = {}
        variables: dict[str, ast.expr] = {}
        for node in _assignments(self.tree.body):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            path = _target_path(target)
            if path is None or node.value is None:
                continue
            found[path] = self._at(target)
            for inner, place in self._inside(node.value, path, variables, 0):
                found[inner] = place
            if len(path) == 1:
                variables[path[0]] = node.value
        return {path: place for path, place in found.items() if not path[0].startswith("_")}

    def _inside(
        self, node: ast.expr, path: Path_, variables: dict[str, ast.expr], depth: int
    ) -> Iterator[tuple[Path_, Location]]:
        """Yield path and place of everything inside an expression."""
        if depth > 50:  # a variable that is made of itself
            return
        if isinstance(node, ast.Name) and node.id in variables:
            yield from self._inside(variables[node.id], path, variables, depth + 1)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            for keyword in node.keywords if node.func.id == "dict" else []:
                if keyword.arg is None:
                    yield from self._inside(keyword.value, path, variables, depth + 1)
                    continue
                here = (*path, keyword.arg)
                yield here, self._at(keyword)
                yield from self._inside(keyword.value, here, variables, depth + 1)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values):
                if key is None:
                    yield from self._inside(value, path, variables, depth + 1)
                elif isinstance(key, ast.Constant):
                    here = (*path, str(key.value))
                    yield here, self._at(key)
                    yield from self._inside(value, here, variables, depth + 1)
        else:
            for index, item in enumerate(_items(node, variables, 0)):
                here = (*path, str(index))
                yield here, self._at(item)
                yield from self._inside(item, here, variables, depth + 1)

    def _at(self, node: Any) -> Location:
        line = self.lines[node.lineno - 1] if node.lineno <= len(self.lines) else ""
        before = line.encode()[: node.col_offset].decode(errors="ignore")
        return self._location(node.lineno, len(before) + 1)

    def _of_frame(self, frame: traceback.FrameSummary) -> Location:
        line = frame.lineno or 1
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        indent = len(text) - len(text.lstrip())
        column: int | None = getattr(frame, "colno", None)  # from Python 3.11 on
        return self._location(line, (indent if column is None else column) + 1)

    def _location(self, line: int, column: int = 1) -> Location:
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return Location(str(self.path), line, column, text)


def _items(node: ast.expr, variables: dict[str, ast.expr], depth: int) -> list[ast.expr]:
    """Return the items of a list that is written out, or put together of such lists."""
    if isinstance(node, (ast.List, ast.Tuple)):
        if not any(isinstance(item, ast.Starred) for item in node.elts):
            return list(node.elts)
        inner = [
            _items(item.value, variables, depth) if isinstance(item, ast.Starred) else [item]
            for item in node.elts
        ]
        return [item for items in inner for item in items]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _items(node.left, variables, depth) + _items(node.right, variables, depth)
    if isinstance(node, ast.Name) and node.id in variables and depth < 50:
        return _items(variables[node.id], variables, depth + 1)
    return []


def _assignments(body: list[ast.stmt]) -> Iterator[Any]:
    for node in body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            yield node
        elif isinstance(node, (ast.If, ast.For, ast.While, ast.With, ast.Try)):
            yield from _assignments(node.body)
            yield from _assignments(getattr(node, "orelse", []))


def _target(node: ast.Assign) -> str:
    target = node.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def _target_path(node: ast.expr) -> Path_ | None:
    """Return the path of what is assigned: ``model['head']`` is model.head."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        outer = _target_path(node.value)
        return None if outer is None else (*outer, str(node.slice.value))
    return None


def _defined(tree: ast.Module) -> set[str]:
    """Return names that are imported, or functions and classes: helpers, not values."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
    return found
