"""A JSON Schema of all configs, with every installed part, for editors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dlcreg.builder.sections import MODEL_TYPE, SECTIONS, VALUES, models
from dlcreg.config.tree import DELETE
from dlcreg.errors import DlcregError
from dlcreg.registry import Registry
from dlcreg.schema.annotations import shape_of
from dlcreg.schema.check import EXTRA, PROVIDED, WIRED, complete
from dlcreg.schema.docs import argument_docs, purpose
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
from dlcreg.schema.signature import signature_of

Schema = dict[str, Any]

_SPOKEN = ("description", "default")
"""What a schema says to people alone."""

_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (float, "number"),
    (int, "integer"),
    (str, "string"),
    (type(None), "null"),
)


def config_schema() -> Schema:
    """Return a JSON Schema (Draft 2020-12) of the configs that are written in YAML or JSON.

    A config that builds on others (``_base_``) may leave out whatever these say, so that only its
    names and values are held against it; where it names no ``type``, against those of all parts of
    the kind.
    """
    whole, partial = _Writer(), _Writer(partial=True)
    top, fragment = whole.top(), partial.top()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dlcreg config",
        "type": "object",
        "if": {"required": ["_base_"]},
        "then": fragment,
        "else": top,
        "$defs": {**whole.definitions, **partial.definitions},
    }


@dataclass
class _Writer:
    """Turns shapes into schemas; registries and classes become definitions.

    Args:
        partial: for configs that build on others: nothing has to be there.
        definitions: what was written so far.
    """

    partial: bool = False
    definitions: dict[str, Schema] = field(default_factory=dict)

    def top(self) -> Schema:
        """Return the schema of a whole config."""
        properties: Schema = {}
        for name, section in SECTIONS.items():
            if section.target:
                schema = self.parameters(section.load(), section.given)
            else:
                schema = self.part(models(), MODEL_TYPE)
            properties[name] = schema if section.required else self._or_null(schema)
        properties.update({name: self.shape(shape_of(a)) for name, a in VALUES.items()})
        return self._object(properties, [n for n, s in SECTIONS.items() if s.required], names="^_")

    def part(self, registry: Registry, default: Any = None, mark: Any = None) -> Schema:
        """Return a reference to the schema of all parts of a registry."""
        provided = mark.provided if mark else PROVIDED.get(registry.name, ())
        extra = mark.extra if mark else EXTRA.get(registry.name, ())
        default = default.__name__ if isinstance(default, type) else default
        given = (
            f"-{'-'.join(provided)}" if tuple(provided) != PROVIDED.get(registry.name, ()) else ""
        )
        name = f"{registry.name}{given}{f'={default}' if default else ''}"
        return self._defined(name, lambda: self._parts(registry, default, provided, extra))

    def parameters(
        self,
        cls: type,
        provided: Iterable[str] = (),
        extra: Iterable[str] = (),
        typed: bool = False,
    ) -> Schema:
        """Return the schema of what a class can be given.

        Args:
            cls: the class.
            provided: parameters that are no keys.
            extra: keys that are no parameters.
            typed: there is a ``type`` beside them.
        """
        signature, docs = signature_of(cls), argument_docs(cls)
        properties: Schema = {"type": {}} if typed else {}
        required: list[str] = []
        for name, parameter in signature.parameters.items():
            if name in provided:
                continue
            schema = self.shape(shape_of(parameter.annotation))
            if not parameter.required and parameter.default is None:
                schema = self._or_null(schema)
            properties[name] = dict(schema)
            if name in docs:
                properties[name]["description"] = docs[name]
            if not parameter.required and _is_json(parameter.default):
                properties[name]["default"] = parameter.default
            if parameter.required and name not in WIRED:
                required.append(name)
        properties.update({name: {} for name in extra})
        return self._object(properties, required, purpose(cls), signature.open)

    def shape(self, shape: Shape) -> Schema:
        """Return the schema of a shape."""
        if isinstance(shape, Either):
            return {"anyOf": [self.shape(member) for member in shape.members]}
        if isinstance(shape, PartOf):
            return self.part(shape.registry, shape.cls)
        if isinstance(shape, DeferredPart):
            part = self.part(shape.registry, mark=complete(shape.mark))
            return {"anyOf": [part, self._list({"items": part})]}
        if isinstance(shape, ForeignPart):
            return self._foreign(shape)
        if isinstance(shape, Object):
            fits = shape.fits({})
            name = f"{shape.cls.__module__}.{shape.cls.__qualname__}"
            return self._defined(name, lambda: self.parameters(shape.cls)) if fits else {}
        if isinstance(shape, Scalar):
            named = [name for kind, name in _TYPES if kind in shape.classes]
            named = [name for name in named if name != "integer" or "number" not in named]
            return {"type": named[0] if len(named) == 1 else named} if named else {"type": "string"}
        if isinstance(shape, Choice):
            return {"enum": [value for value in shape.values if _is_json(value)]}
        if isinstance(shape, Listed):
            return self._list({"items": self.shape(shape.item)})
        if isinstance(shape, Fixed):
            count = len(shape.items)
            items = [self.shape(item) for item in shape.items]
            return self._list({"prefixItems": items, "minItems": count, "maxItems": count})
        if isinstance(shape, Mapped):
            return {"type": "object", "additionalProperties": self.shape(shape.item)}
        if isinstance(shape, Keyed):
            properties = {key: self.shape(inner) for key, inner in shape.keys}
            return self._object(properties, sorted(shape.required))
        return {}

    def _parts(
        self, registry: Registry, default: Any, provided: Iterable[str], extra: Iterable[str]
    ) -> Schema:
        names: list[str] = []
        cases: list[Schema] = []
        untyped: dict[str, list[Schema]] = {}
        closed = True
        for cls, names_of in _classes(registry).items():
            names += names_of
            here = self._defined(
                f"{registry.name}.{names_of[0]}",
                lambda cls=cls: self.parameters(cls, provided, extra, typed=True),  # type: ignore[misc]
            )
            meant: Schema = {"properties": {"type": {"enum": names_of}}}
            if default not in names_of or self.partial:
                meant["required"] = ["type"]
            cases.append({"if": meant, "then": here})
            written = self.definitions[here["$ref"].removeprefix("#/$defs/")]
            closed = closed and "additionalProperties" in written
            for name, schema in written.get("properties", {}).items():
                bare = {key: value for key, value in schema.items() if key not in _SPOKEN}
                if bare not in untyped.setdefault(name, []):
                    untyped[name].append(bare)
        if self.partial:
            either = {name: {"anyOf": schemas} for name, schemas in untyped.items()}
            object_ = self._object(either, [], is_open=not closed)
            cases.append({"if": {"not": {"required": ["type"]}}, "then": object_})
        elsewhere = {"type": "string", "pattern": "[/:]"}
        kind = {"anyOf": [{"enum": names}, elsewhere]}
        schema = {"type": "object", "properties": {"type": kind}, "allOf": cases}
        if default is None and not self.partial:
            schema["required"] = ["type"]
        return schema

    def _foreign(self, shape: ForeignPart) -> Schema:
        name = f"foreign.{shape.mark.find.__module__}"
        inside = {"$ref": f"#/$defs/{'partial.' if self.partial else ''}{name}"}
        properties = {"type": {"type": "string"}, shape.mark.inside: inside}
        one = self._object(properties, ["type"], is_open=True)
        return self._defined(name, lambda: {"anyOf": [one, self._list({"items": inside})]})

    def _object(
        self,
        properties: Schema,
        required: list[str],
        description: str = "",
        is_open: bool = False,
        names: str = "",
    ) -> Schema:
        schema: Schema = {"type": "object", "properties": dict(properties)}
        if description:
            schema["description"] = description
        if names:
            schema["patternProperties"] = {names: {}}
        if self.partial:
            schema["properties"][DELETE] = {"type": "boolean"}
        elif required:
            schema["required"] = required
        if not is_open:
            schema["additionalProperties"] = False
        return schema

    def _list(self, schema: Schema) -> Schema:
        """Return the schema of a list; single items of a base's list are changed by number."""
        whole = {"type": "array", **schema}
        if not self.partial:
            return whole
        items = {"type": "object", "patternProperties": {r"^\d+$": schema.get("items", {})}}
        return {"anyOf": [whole, {**items, "additionalProperties": False}]}

    def _or_null(self, schema: Schema) -> Schema:
        return {"anyOf": [schema, {"type": "null"}]}

    def _defined(self, name: str, write: Callable[[], Schema]) -> Schema:
        name = f"{'partial.' if self.partial else ''}{name.replace('/', ':').replace('~', '-')}"
        if name not in self.definitions:
            self.definitions[name] = {}  # a part inside one of its own kind refers to it
            self.definitions[name] = write()
        return {"$ref": f"#/$defs/{name}"}


def _classes(registry: Registry) -> dict[type, list[str]]:
    """Return all names of every part that can be imported."""
    names = registry.names() + [f"{row.distribution}/{row.name}" for row in registry.listing()]
    found: dict[type, list[str]] = {}
    for name in dict.fromkeys(names):
        try:
            found.setdefault(registry.get(name), []).append(name)
        except DlcregError:  # broken, switched off, or of several packages
            continue
    return found


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
