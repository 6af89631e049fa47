"""The source of a part, read without importing it: its file, its purpose, its hash."""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

_DEEPEST = 5
"""How many modules may pass a class on to one another."""


def find_module(name: str) -> ModuleSpec | None:
    """Return where a module is, or None; unlike importlib's own, imports no parent package."""
    path = None
    spec = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        spec = _find(".".join(parts[:depth]), path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
        if path is None and depth < len(parts):
            return None
        path = None if path is None else list(path)
    return spec


def _find(name: str, path: list[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path)
        except Exception:  # a finder of a package that we know nothing of
            continue
        if spec is not None:
            return spec
    return None


def source_file(module: str) -> Path | None:
    """Return the Python file of a module, without importing it; None where there is none."""
    spec = find_module(module)
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


def exists(target: str) -> bool:
    """Return whether the module of ``module:Class`` is there, without importing it."""
    module, _, name = target.partition(":")
    return bool(module and name) and find_module(module) is not None


@functools.lru_cache(maxsize=256)
def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def find_class(target: str) -> tuple[Path, ast.ClassDef] | None:
    """Return file and definition of ``module:Class``, also where the module only passes it on."""
    module, _, name = target.partition(":")
    for _ in range(_DEEPEST):
        path = source_file(module)
        tree = _parsed(path) if path is not None else None
        if path is None or tree is None:
            return None
        passed = ""
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return path, node
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        passed = _absolute(node, module, path)
                        name = alias.name
                        break
        if not passed:
            return None
        module = passed
    return None


def _absolute(node: ast.ImportFrom, module: str, path: Path) -> str:
    """Return the name of the module that an ``import from`` means."""
    if not node.level:
        return node.module or ""
    package = module.split(".")
    up = node.level - (1 if path.stem == "__init__" else 0)
    package = package[: len(package) - up] if up else package
    return ".".join([*package, *([node.module] if node.module else [])])


def purpose(target: str) -> str:
    """Return the first line of the docstring of ``module:Class``, without importing it."""
    found = find_class(target)
    text = ast.get_docstring(found[1]) if found else None
    return (text or "").partition("\n")[0].strip()


def exported(module: str) -> set[str]:
    """Return the names with a capital that a package imports from its modules."""
    path = source_file(module)
    tree = _parsed(path) if path is not None else None
    return {
        alias.asname or alias.name
        for node in (tree.body if tree is not None else [])
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (alias.asname or alias.name)[0].isupper()
    }


def digest(path: str | Path | None) -> str:
    """Return the sha256 of a file in hexadecimal; empty where it cannot be read."""
    try:
        return _digest(str(path), Path(str(path)).stat().st_mtime_ns) if path else ""
    except OSError:
        return ""


@functools.lru_cache(maxsize=1024)
def _digest(path: str, changed: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
