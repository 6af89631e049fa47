"""The source of a part, read without importing it: its file, its purpose, its hash."""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import re
import sys
import tokenize
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
def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _parsed(path: Path | None) -> list[ast.stmt]:
    try:
        return ast.parse(_read(path)).body if path is not None else []
    except (SyntaxError, ValueError):
        return []


def purpose(target: str) -> str:
    """Return the first sentence of the docstring of ``module:Class``, without importing it.

    A class that the module only passes on is followed to where it is defined.
    """
    module, _, name = target.partition(":")
    for _ in range(_DEEPEST):
        path = source_file(module)
        if path is None:
            return ""
        text = _read(path)
        found = re.search(rf"^class {re.escape(name)}\b", text, re.MULTILINE)
        if found:
            return first_sentence(_docstring(text[found.start() :]))
        passed = _passed_on(path, module, name)
        if passed is None:
            return ""
        module, name = passed
    return ""


def first_sentence(docstring: str) -> str:
    """Return the first sentence of a docstring in one line."""
    first = " ".join(docstring.strip().split("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z])", first)[0]


def _docstring(text: str) -> str:
    """Return the docstring of the class that `text` begins with; reads no further than that."""
    try:
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        for token in tokens:
            if token.type == tokenize.INDENT:
                break
        token = next(tokens)
        value = ast.literal_eval(token.string) if token.type == tokenize.STRING else ""
    except (tokenize.TokenError, StopIteration, SyntaxError, ValueError):
        return ""
    return value if isinstance(value, str) else ""


def _passed_on(path: Path, module: str, name: str) -> tuple[str, str] | None:
    """Return module and name from which a module imports a name."""
    for node in _parsed(path):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _absolute(node, module, path), alias.name
    return None


def _absolute(node: ast.ImportFrom, module: str, path: Path) -> str:
    """Return the name of the module that an ``import from`` means."""
    if not node.level:
        return node.module or ""
    package = module.split(".")
    up = node.level - (1 if path.stem == "__init__" else 0)
    package = package[: len(package) - up] if up else package
    return ".".join([*package, *([node.module] if node.module else [])])


def exported(module: str) -> set[str]:
    """Return the names with a capital that a package imports from its modules."""
    return {
        alias.asname or alias.name
        for node in _parsed(source_file(module))
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
