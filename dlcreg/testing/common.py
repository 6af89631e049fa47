"""The checks of every kind: found, documented, annotated, built, pickled, cheap to import."""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import pickle
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from torch import nn

from dlcreg.schema import signature_of
from dlcreg.testing.results import fail, skip
from dlcreg.testing.subject import Subject

HEAVY = {
    "IPython",
    "deeplabcut",
    "jax",
    "matplotlib",
    "mmcv",
    "mmpose",
    "napari",
    "numba",
    "pandas",
    "sklearn",
    "tables",
    "tensorboard",
    "tensorflow",
    "transformers",
}
"""Packages that cost a second or more, or a licence of memory, to import."""


def found_by_name(subject: Subject) -> str:
    """The registry finds it, it derives from the contract and leaves no method of it out."""
    cls = subject.cls  # raises a PluginError that says what is wrong
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        fail(f"has no {missing}", f"every method of {subject.registry.base.__name__}", "Write it")
    part = subject.registry.part(subject.part)
    return f"{part.target} of {part.distribution or 'this process'} {part.version}".rstrip()


def documented(subject: Subject) -> str:
    """Its docstring says in one line what it is for, and names each of its arguments."""
    text = inspect.cleandoc(vars(subject.cls).get("__doc__") or "")
    first = text.splitlines()[0].strip() if text else ""
    if not first:
        fail("has no docstring", "one line of purpose", 'Begin the class with """What it is."""')
    if subject.registry.base.__module__.partition(".")[0] != "dlcreg":
        return first  # classes of other libraries have a style of their own
    own = vars(subject.cls).get("__init__")
    names = list(inspect.signature(own).parameters.values())[1:] if own else []
    for parameter in names:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if not re.search(rf"^\s*`*{parameter.name}`*\s*(\(.*\))?:", text, re.MULTILINE):
            fail(
                f"has a docstring that says nothing of {parameter.name!r}",
                "every argument with its meaning, shape or unit",
                f"Add '{parameter.name}: ...' below 'Args:'",
            )
    return first


def annotated(subject: Subject) -> str:
    """Every parameter has a type that can be read at run time: the signature is the schema."""
    signature = signature_of(subject.cls)
    if subject.registry.base.__module__.partition(".")[0] != "dlcreg":
        skip("classes of other libraries are taken as they are annotated")
    if signature.open:
        fail(
            "takes **kwargs that go nowhere the schema can follow",
            "that every name it takes is known, so that a misspelt key in a config is found",
            "Name the parameters, or pass **kwargs on to super().__init__ unchanged",
        )
    for name, parameter in signature.parameters.items():
        if parameter.annotation is Any:
            fail(
                f"has no type for {name!r} that can be read at run time",
                "an annotation, so that a wrong value in a config is found",
                f"Write '{name}: int' or such, with names that the module imports "
                "(not below TYPE_CHECKING)",
            )
    return f"takes {', '.join(signature.parameters) or 'nothing'}"


def builds(subject: Subject) -> str:
    """It is built from a config that leaves out what is wired."""
    part = subject.build()
    if not isinstance(part, subject.cls):
        fail(
            f"builds a {type(part).__name__}",
            f"a {subject.cls.__name__}",
            "Let __new__ return an object of the class",
        )
    return f"is built with {', '.join(subject.config)}"


def picklable(subject: Subject) -> str:
    """It can be sent to a spawned worker, and is the same there."""
    part = subject.build()
    try:
        copy = pickle.loads(pickle.dumps(part))
    except Exception as error:
        fail(
            f"cannot be pickled: {type(error).__name__}: {error}",
            "that it can be sent to a worker process",
            "Keep no lambda, local function, open file, lock or module in an attribute; define "
            "the class at the top of its module; or write __getstate__",
        )
    if isinstance(part, nn.Module):
        before, after = part.state_dict(), copy.state_dict()
        if before.keys() != after.keys() or any((before[k] != after[k]).any() for k in before):
            fail(
                "has other weights after pickling",
                "the same",
                "Let __getstate__ leave out no parameter or buffer",
            )
    return "survives pickling"


def import_cost(subject: Subject) -> str:
    """Importing its module imports no heavy library that it could import when it is used."""
    module = sys.modules.get(subject.cls.__module__)
    if module is None or not getattr(module, "__file__", None):
        skip("its module has no file")
    root = subject.cls.__module__.partition(".")[0]
    if root == subject.registry.base.__module__.partition(".")[0] != "dlcreg":
        skip(f"it is {root}'s own")
    seen: set[str] = set()
    waiting = [subject.cls.__module__]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in sys.modules:
            continue
        seen.add(name)
        for imported in _imports(sys.modules[name]):
            top = imported.partition(".")[0]
            if top in HEAVY:
                fail(
                    f"imports {top} as soon as {name} is imported",
                    "that a heavy library is imported by the function that needs it: a config "
                    "that names the part is read without paying for it",
                    f"Move 'import {top}' into that function",
                )
            if top == root:
                waiting.append(imported)
    return f"imports nothing heavy ({len(seen)} modules of {root} read)"


def _imports(module: ModuleType) -> tuple[str, ...]:
    """Return the modules that a module imports when it is imported itself."""
    try:
        return _imports_of(inspect.getsource(module), module.__package__)
    except (OSError, TypeError, SyntaxError):
        return ()


@functools.cache
def _imports_of(source: str, package: str | None) -> tuple[str, ...]:
    """Return the modules that the source of a module of a package imports."""
    return tuple(_imported(ast.parse(source), package))


def _imported(tree: ast.AST, package: str | None) -> Iterator[str]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            name = importlib.util.resolve_name(name, package) if node.level else name
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ):
            continue
        waiting.extend(ast.iter_child_nodes(node))


CHECKS = (found_by_name, documented, annotated, builds, picklable, import_cost)
