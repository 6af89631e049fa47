"""Shapes of config values: what fits, in words, and where parts are nested."""

from __future__ import annotations

import inspect
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcreg.registry import REGISTRIES, Registry
from dlcreg.schema.marks import Deferred, Foreign

Child = tuple[str, Any, "Shape"]
"""Key, value and shape of a value inside a value."""


class Shape:
    """Takes anything; the others narrow that."""

    words = "anything"

    def fits(self, value: Any) -> bool:
        """Whether a value is of this shape, without looking into nested values."""
        return True

    def children(self, value: Any) -> Iterator[Child]:
        """Yield the values inside a value that fits."""
        return iter(())

    def rebuild(self, value: Any, children: Sequence[Any]) -> Any:
        """Return the value with other children, in the order of `children`."""
        return value


@dataclass(frozen=True)
class Scalar(Shape):
    """A value of one of some classes, with Python's ``int`` taken for ``float``, but not bools."""

    classes: tuple[type, ...]
    words: str

    def fits(self, value: Any) -> bool:
        """Whether it is an instance."""
        if isinstance(value, bool):
            return bool in self.classes
        return isinstance(value, self.classes)

    def rebuild(self, value: Any, children: Sequence[Any]) -> Any:
        """Return the value, a path as a `Path`."""
        return pathlib.Path(value) if pathlib.Path in self.classes else value


@dataclass(frozen=True)
class Choice(Shape):
    """One of some values."""

    values: tuple[Any, ...]

    @property
    def words(self) -> str:  # type: ignore[override]
        """The values."""
        listed = [repr(value) for value in self.values]
        return listed[0] if len(listed) == 1 else f"one of {', '.join(listed)}"

    def fits(self, value: Any) -> bool:
        """Whether it is one of them, of the same type: True is not 1."""
        return any(type(v) is type(value) and v == value for v in self.values)


@dataclass(frozen=True)
class Listed(Shape):
    """A list of any length."""

    item: Shape
    factory: type | None = None

    @property
    def words(self) -> str:  # type: ignore[override]
        """What the list is of."""
        return "a list" if type(self.item) is Shape else f"a list ({self.item.words} each)"

    def fits(self, value: Any) -> bool:
        """Whether it is a list or a tuple."""
        return isinstance(value, (list, tuple, set, frozenset))

    def children(self, value: Any) -> Iterator[Child]:
        """Yield the items."""
        return ((str(i), item, self.item) for i, item in enumerate(value))

    def rebuild(self, value: Any, children: Sequence[Any]) -> Any:
        """Return a list, or what the annotation asks for."""
        return (self.factory or type(value))(children)


@dataclass(frozen=True)
class Fixed(Shape):
    """A list with one shape for each place."""

    items: tuple[Shape, ...]

    @property
    def words(self) -> str:  # type: ignore[override]
        """Length and content."""
        return f"a list of {len(self.items)} ({', '.join(item.words for item in self.items)})"

    def fits(self, value: Any) -> bool:
        """Whether it is a list of that length."""
        return isinstance(value, (list, tuple)) and len(value) == len(self.items)

    def children(self, value: Any) -> Iterator[Child]:
        """Yield the items."""
        return ((str(i), item, shape) for i, (item, shape) in enumerate(zip(value, self.items)))

    def rebuild(self, value: Any, children: Sequence[Any]) -> Any:
        """Return a tuple."""
        return tuple(children)


@dataclass(frozen=True)
class Mapped(Shape):
    """A dict from names to values of one shape."""

    item: Shape

    @property
    def words(self) -> str:  # type: ignore[override]
        """What the values are."""
        return "a dict" if type(self.item) is Shape else f"a dict of names ({self.item.words} each)"

    def fits(self, value: Any) -> bool:
        """Whether it is a dict."""
        return isinstance(value, Mapping)

    def children(self, value: Any) -> Iterator[Child]:
        """Yield the values."""
        return ((str(key), item, self.item) for key, item in value.items())

    def rebuild(self, value: Any, children: Sequence[Any]) -> Any:
        """Return a dict with the same keys."""
        return dict(zip(value, children))


@dataclass(frozen=True)
class Keyed(Shape):
    """A dict with known keys, from a `typing.TypedDict`."""

    keys: tuple[tuple[str, Shape], ...]
    required: frozenset[str]
    words = "a dict"

    def fits(self, value: Any) -> bool:
        """Whether it is a dict."""
        return isinstance(value, Mapping)

    def children(self, value: Any) -> Iterator[Child]:
        """Yield the values with known keys."""
        shapes = dict(self.keys)
        return ((key, item, shapes.get(key, Shape())) for key, item in value.items())

    def rebuild(self, value: Any, children: Sequence[Any]) -> Any:
        """Return a dict with the same keys."""
        return dict(zip(value, children))


@dataclass(frozen=True)
class PartOf(Shape):
    """A config of a registered class, or an object of its kind.

    Args:
        registry: where the class is looked up.
        cls: the class of a config that names none; None where it must name one.
    """

    registry: Registry
    cls: type | None = None

    @property
    def words(self) -> str:  # type: ignore[override]
        """The kind."""
        return a(self.registry.kind)

    def fits(self, value: Any) -> bool:
        """Whether it is a config, or an object that is built already."""
        return isinstance(value, (Mapping, self.registry.base))


@dataclass(frozen=True)
class DeferredPart(Shape):
    """Configs that a component builds itself."""

    mark: Deferred

    @property
    def registry(self) -> Registry:
        """The registry that they are of."""
        return REGISTRIES[self.mark.registry]

    @property
    def words(self) -> str:  # type: ignore[override]
        """The kind."""
        return f"{a(self.registry.kind)} or a list of them"

    def fits(self, value: Any) -> bool:
        """Whether it is a config, a list, or some object; but no string or number."""
        return not isinstance(value, (str, bool, int, float, type(None)))


@dataclass(frozen=True)
class ForeignPart(Shape):
    """Configs of the classes of another library."""

    mark: Foreign

    @property
    def words(self) -> str:  # type: ignore[override]
        """What is wanted."""
        return f"{self.mark.words}, such as dict(type='...')"

    def fits(self, value: Any) -> bool:
        """Whether it is a config, a list, or some object; but no string or number."""
        return not isinstance(value, (str, bool, int, float, type(None)))


@dataclass(frozen=True)
class Object(Shape):
    """An object of an ordinary class, or a dict of its parameters."""

    cls: type

    @property
    def words(self) -> str:  # type: ignore[override]
        """The class."""
        return a(self.cls.__name__)

    def fits(self, value: Any) -> bool:
        """Whether it is such an object, or could be its parameters."""
        if isinstance(value, Mapping):
            return inspect.isfunction(getattr(self.cls, "__init__", None))
        return isinstance(value, self.cls)


@dataclass(frozen=True)
class Either(Shape):
    """One of several shapes."""

    members: tuple[Shape, ...]

    @property
    def words(self) -> str:  # type: ignore[override]
        """All of them."""
        listed = list(dict.fromkeys(member.words for member in self.members))
        return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}"

    def fits(self, value: Any) -> bool:
        """Whether it is of any."""
        return any(member.fits(value) for member in self.members)

    def choose(self, value: Any) -> Shape:
        """Return the member that a value is meant for: the one that fits it deepest."""
        fitting = [member for member in self.members if member.fits(value)]
        if isinstance(value, Mapping):
            # A config says its type; a dict of configs, or plain parameters, do not.
            typed = "type" in value
            parts, last = (PartOf, DeferredPart), (Object, Shape)

            def rank(member: Shape) -> tuple[bool, bool]:
                return isinstance(member, parts) != typed, type(member) in last

            fitting = [m for m in fitting if rank(m) == min(map(rank, fitting))]
        deep = [m for m in fitting if all(s.fits(v) for _, v, s in m.children(value))]
        return (deep or fitting or [self])[0]


def a(noun: str) -> str:
    """Return a noun with its article."""
    return f"an {noun}" if noun[0].lower() in "aeio" else f"a {noun}"
