"""Marks of annotations: configs that a component builds itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Deferred:
    """Marks a nested config that the component checks nothing of but builds itself.

    ``Annotated[Any, Deferred("transforms")]`` takes one config or a list of configs of that
    registry; they are checked with the whole config and handed over as they are written.

    Args:
        registry: plural name of the registry.
        provided: parameters that the component gives when it builds them.
        extra: keys that the component itself takes out of such a config.
    """

    registry: str
    provided: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Foreign:
    """Marks configs of the classes of another library, which the component builds itself.

    ``Annotated[Any, Foreign(find, "a transform of albumentations")]`` takes dicts with a ``type``,
    the name of a class, and its arguments, or lists of such; or what is built already. Whether
    there are such classes is checked with the whole config; the arguments are the library's own.

    Args:
        find: returns the class of a name; raises a `DlcregError` where there is none.
        words: what such an object is called.
        inside: the argument that takes further ones.
    """

    find: Callable[[str], type]
    words: str
    inside: str = "transforms"
