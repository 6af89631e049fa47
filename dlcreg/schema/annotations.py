"""Annotations of parameters, read as shapes of config values."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import pathlib
import types
import typing
from typing import Annotated, Any, Literal

from dlcreg.registry import REGISTRIES
from dlcreg.schema.marks import Deferred, Foreign
from dlcreg.schema.shapes import (
    Choice,
    DeferredPart,
    Either,
    Fixed,
    ForeignPart,
    Keyed,
    Listed,
    Mapped,
    Object,
    PartOf,
    Scalar,
    Shape,
)

_SCALARS: dict[Any, Shape] = {
    int: Scalar((int,), "an int"),
    float: Scalar((float, int), "a number"),
    complex: Scalar((complex, float, int), "a number"),
    str: Scalar((str,), "a string"),
    bool: Scalar((bool,), "True or False"),
    bytes: Scalar((bytes,), "bytes"),
    type(None): Scalar((type(None),), "None"),
    None: Scalar((type(None),), "None"),
    pathlib.Path: Scalar((str, pathlib.Path), "a path"),
}
_SEQUENCES = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: None,
    collections.abc.Iterable: None,
    collections.abc.Collection: None,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


@functools.cache
def _cached(annotation: Any) -> Shape:
    return _shape(annotation)


def shape_of(annotation: Any) -> Shape:
    """Return the shape that an annotation describes; anything where it is not understood."""
    try:
        return _cached(annotation)
    except TypeError:  # an annotation that cannot be hashed
        return _shape(annotation)


def _shape(annotation: Any) -> Shape:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        for mark in args[1:]:
            if isinstance(mark, Deferred):
                return DeferredPart(mark)
            if isinstance(mark, Foreign):
                return ForeignPart(mark)
        return shape_of(args[0])
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if origin is Literal:
        return Choice(args)
    if origin in (typing.Union, types.UnionType):
        members = tuple(shape_of(arg) for arg in args)
        return Either(members)
    if origin is tuple or annotation is tuple:
        return _tuple(args)
    kind = origin or annotation
    if kind in _SEQUENCES:
        return Listed(shape_of(args[0]) if args else Shape(), _SEQUENCES[kind])
    if kind in _MAPPINGS:
        return Mapped(shape_of(args[1]) if len(args) == 2 else Shape())
    if isinstance(annotation, type) and origin is None:
        return _class(annotation)
    return Shape()


def _tuple(args: tuple[Any, ...]) -> Shape:
    if not args:
        return Listed(Shape(), tuple)
    if len(args) == 2 and args[1] is Ellipsis:
        return Listed(shape_of(args[0]), tuple)
    return Fixed(tuple(shape_of(arg) for arg in args))


def _class(cls: type) -> Shape:
    if typing.is_typeddict(cls):
        hints = typing.get_type_hints(cls)
        keys = tuple((name, shape_of(hint)) for name, hint in hints.items())
        return Keyed(keys, frozenset(getattr(cls, "__required_keys__", ())))
    if cls in (Any, object) or getattr(cls, "_is_protocol", False):
        return Shape()
    models = REGISTRIES["models"]
    for registry in [r for r in REGISTRIES.values() if r is not models] + [models]:
        if registry.covers(cls):
            certain = cls is not registry.base and not inspect.isabstract(cls)
            return PartOf(registry, cls if certain else None)
    return Object(cls)
