"""Values as they are typed after ``--cfg-options``."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import yaml

from dlcreg.config.markup_file import Loader
from dlcreg.config.tree import split_path
from dlcreg.errors import ConfigError, Problem

SOURCE = "--cfg-options"


def parse_option(text: str) -> tuple[str, Any]:
    """Return path and value of ``a.b=value``.

    The value is read as Python (``None``, ``[1, 2]``, ``dict(type='Adam')``), else as YAML
    (``true``, ``1e-3``), else it is a string.

    Raises:
        ConfigError: there is no ``=``, no path, or a bracket without its twin.
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals:
        message = f"{text!r} has no '='. Write key=value, such as solver.max_epochs=20."
        if Path(text).is_file():
            message += " The file of a config comes before --cfg-options."
        raise ConfigError(Problem("", message, source=SOURCE))
    if not path or any(not key for key in path.split(".")) or not split_path(path):
        message = f"{text!r} has no key before '='. Write key=value, such as solver.max_epochs=20."
        raise ConfigError(Problem("", message, source=SOURCE))
    return path, parse_value(value.strip(), path)


def parse_value(text: str, path: str) -> Any:
    """Return the value that a text means."""
    try:
        value = _evaluate(ast.parse(text, mode="eval").body)
        return list(value) if isinstance(value, tuple) and not text.startswith("(") else value
    except (ValueError, SyntaxError):
        pass
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError:
        if text[:1] in tuple("[{(") or text.startswith("dict("):
            message = f"{text!r} is no value: is a bracket or a quote missing?"
            raise ConfigError(Problem(path, message, source=SOURCE)) from None
        return text


def _evaluate(node: ast.expr) -> Any:
    """Evaluate literals, and calls of ``dict`` with literals."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        if node.args or any(keyword.arg is None for keyword in node.keywords):
            raise ValueError("dict takes keywords only")
        return {str(keyword.arg): _evaluate(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
        keys = [_evaluate(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_evaluate, node.values)))
    if isinstance(node, ast.List):
        return [_evaluate(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_evaluate(item) for item in node.elts)
    return ast.literal_eval(node)
