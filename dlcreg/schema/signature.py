"""What a class can be given: its signature, ``**kwargs`` followed to the base that takes them."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import textwrap
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

REQUIRED: Any = inspect.Parameter.empty
"""The default of a parameter that has none."""

_REFUSING = ("torch.nn.modules.module", "Module")
"""Takes ``**kwargs`` only to refuse them."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a class.

    Args:
        name: its name, which is the key in a config.
        annotation: its type, resolved; `Any` where nothing usable is said.
        default: its default, or `REQUIRED`.
    """

    name: str
    annotation: Any = Any
    default: Any = REQUIRED

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED


@dataclass(frozen=True)
class Signature:
    """What a class can be given.

    Args:
        parameters: by name, in order.
        open: further names are taken too, and nobody can say which.
    """

    parameters: dict[str, Parameter] = field(default_factory=dict)
    open: bool = False


@dataclass(frozen=True)
class _Call:
    """What a call of ``super().__init__`` gives by itself, beside the ``**kwargs`` it passes on."""

    positions: int
    names: frozenset[str]


@functools.cache
def signature_of(cls: type) -> Signature:
    """Return what `cls` can be given by name.

    ``**kwargs`` that are passed on to ``super().__init__`` stand for the parameters of the next
    class that has an ``__init__``, less those that the call itself gives. ``**kwargs`` that go
    anywhere else leave the signature open.
    """
    found: dict[str, Parameter] = {}
    taken: set[str] = set()
    positions = 0
    for owner in cls.__mro__:
        init = vars(owner).get("__init__")
        if init is None:
            continue
        if owner is object or (owner.__module__, owner.__name__) == _REFUSING:
            break
        function = inspect.unwrap(init)
        if not inspect.isfunction(function):  # written in C: nothing can be read
            return Signature(found, open=True)
        listed = list(inspect.signature(function).parameters.values())[1:]
        positional = [p.name for p in listed if p.kind is p.POSITIONAL_OR_KEYWORD]
        taken.update(positional[:positions])
        hints = _hints(function, owner)
        for p in listed:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in taken:
                found.setdefault(p.name, Parameter(p.name, hints.get(p.name, Any), p.default))
        keywords = next((p.name for p in listed if p.kind is p.VAR_KEYWORD), None)
        if keywords is None:
            break
        call = _passed_on(function, keywords)
        if call is None:
            return Signature(found, open=True)
        positions = call.positions
        taken |= call.names
    return Signature(found)


def _hints(function: Callable, owner: type) -> dict[str, Any]:
    """Return the resolved annotations; those that cannot be resolved are left out."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # a name imported for type checkers only, or not at all: take the others
        scope = {**vars(sys.modules[owner.__module__]), **vars(owner)}
        found = {}
        for name, hint in getattr(function, "__annotations__", {}).items():
            try:
                found[name] = eval(hint, scope) if isinstance(hint, str) else hint
            except Exception:
                continue
        return found


def _passed_on(function: Callable, keywords: str) -> _Call | None:
    """Return the call of a base's ``__init__`` that `keywords` are passed to, if there is one."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr != "__init__":
            continue
        stars = [k.value.id for k in node.keywords if not k.arg and isinstance(k.value, ast.Name)]
        if keywords not in stars:
            continue
        before_star = [a for a in node.args if not isinstance(a, ast.Starred)]
        of_super = isinstance(node.func.value, ast.Call)
        positions = len(before_star) - (0 if of_super else 1)  # Base.__init__(self, ...)
        return _Call(positions, frozenset(k.arg for k in node.keywords if k.arg))
    return None
