"""The parts of a config as they are written, before anything of them is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dlcreg.builder.sections import MODEL_TYPE, SECTIONS, models
from dlcreg.config import ConfigTree
from dlcreg.errors import DlcregError
from dlcreg.registry import Registry
from dlcreg.schema.annotations import shape_of
from dlcreg.schema.check import join
from dlcreg.schema.shapes import DeferredPart, Either, Object, PartOf, Shape
from dlcreg.schema.signature import signature_of


@dataclass
class Written:
    """One part of a config, with those inside it.

    Args:
        path: where it stands.
        cls: its class.
        registry: where its class was looked up; None for a section or a plain object.
        options: what the config says of it, but for the parts inside.
        parts: the parts inside, in the order of the signature.
    """

    path: str
    cls: type
    registry: Registry | None = None
    options: dict[str, Any] = field(default_factory=dict)
    parts: list[Written] = field(default_factory=list)

    def walk(self) -> Iterator[Written]:
        """Yield this part and all inside it."""
        yield self
        for part in self.parts:
            yield from part.walk()


def written_parts(tree: ConfigTree) -> list[Written]:
    """Return the sections of a config that fits its signatures, with the parts inside them.

    What does not fit is left out.
    """
    found = []
    for name, section in SECTIONS.items():
        value = tree.data.get(name)
        if not isinstance(value, Mapping):
            continue
        if section.target:
            found.append(_described(Written(name, section.load()), value))
        else:
            found += _part(models(), value, name, MODEL_TYPE)
    return found


def _part(
    registry: Registry, cfg: Mapping[str, Any], path: str, default: str | type | None
) -> list[Written]:
    try:
        cls = registry.get(cfg.get("type", default))
    except DlcregError:
        return []
    return [_described(Written(path, cls, registry), cfg)]


def _described(part: Written, cfg: Mapping[str, Any]) -> Written:
    """Fill in options and parts."""
    parameters = signature_of(part.cls).parameters
    order = {name: number for number, name in enumerate(parameters)}
    for name in sorted(cfg, key=lambda name: order.get(name, len(order))):
        if name == "type":
            continue
        shape = shape_of(parameters[name].annotation) if name in parameters else Shape()
        inside = _inside(cfg[name], shape, join(part.path, str(name)))
        part.parts += inside
        if not inside:
            part.options[str(name)] = cfg[name]
    return part


def _inside(value: Any, shape: Shape, path: str) -> list[Written]:
    """Return the parts that a value is, or holds."""
    if isinstance(shape, Either):
        shape = shape.choose(value)
    if isinstance(shape, (PartOf, DeferredPart)):
        if isinstance(value, Mapping):
            return _part(shape.registry, value, path, getattr(shape, "cls", None))
        if isinstance(value, shape.registry.base):
            return [Written(path, type(value), shape.registry)]
        if isinstance(value, (list, tuple)):
            items = enumerate(value)
            return [one for i, item in items for one in _inside(item, shape, join(path, str(i)))]
        return []
    if isinstance(shape, Object) and isinstance(value, Mapping):
        return [_described(Written(path, shape.cls), value)]
    if not shape.fits(value):
        return []
    return [
        one
        for key, item, inner in shape.children(value)
        for one in _inside(item, inner, join(path, key))
    ]
