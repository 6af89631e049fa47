"""A config with all that it leaves unsaid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.builder.build import Config
from dlcreg.builder.sections import MODEL_TYPE, SECTIONS, check_sections, models
from dlcreg.config import load_config
from dlcreg.errors import ConfigError
from dlcreg.registry import Registry
from dlcreg.schema.annotations import shape_of
from dlcreg.schema.check import EXTRA, KNOWN_LATER, PROVIDED, WIRED
from dlcreg.schema.shapes import DeferredPart, Either, Object, PartOf, Shape
from dlcreg.schema.signature import signature_of


def filled(cfg: Config) -> dict[str, Any]:
    """Return a whole config with the defaults of every part.

    Parameters that are filled in from the data or from the part before are left out where the
    config says nothing of them.

    Raises:
        ConfigError: the config has mistakes.
    """
    tree = load_config(cfg)
    problems = check_sections(tree)
    if problems:
        raise ConfigError([tree.placed(problem) for problem in problems])
    whole: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        value = tree.data.get(name) or {}
        if section.target:
            whole[name] = _parameters(section.load(), value, section.given)
        else:
            whole[name] = _part(models(), value, MODEL_TYPE)
    return {**whole, **{key: value for key, value in tree.data.items() if key not in whole}}


def _part(registry: Registry, cfg: Mapping[str, Any], default: str | type | None) -> dict[str, Any]:
    kind: Any = cfg.get("type", default)
    given = {key: value for key, value in cfg.items() if key != "type"}
    unsaid = (*PROVIDED.get(registry.name, ()), *KNOWN_LATER.get(registry.name, ()))
    if registry.name != "datasets":  # which find these names themselves
        unsaid += WIRED
    extra = {k: v for k, v in given.items() if k in EXTRA.get(registry.name, ())}
    return {"type": kind, **_parameters(registry.get(kind), given, unsaid), **extra}


def _parameters(cls: type, cfg: Mapping[str, Any], unsaid: tuple[str, ...]) -> dict[str, Any]:
    """Return the parameters of a class with their defaults, but for those in `unsaid`."""
    signature = signature_of(cls)
    found: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if name in cfg:
            found[name] = _value(cfg[name], shape_of(parameter.annotation))
        elif not parameter.required and name not in unsaid and _is_plain(parameter.default):
            found[name] = parameter.default
    return {**found, **{key: value for key, value in cfg.items() if key not in found}}


def _is_plain(value: Any) -> bool:
    """Whether a config can say this value: a default that is an object cannot be written."""
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _is_plain(item) for k, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _value(value: Any, shape: Shape) -> Any:
    if isinstance(shape, Either):
        shape = shape.choose(value)
    if isinstance(shape, DeferredPart):
        if isinstance(value, (list, tuple)):
            return type(value)(_value(item, shape) for item in value)
        return _part(shape.registry, value, None) if isinstance(value, Mapping) else value
    if isinstance(shape, PartOf) and isinstance(value, Mapping):
        return _part(shape.registry, value, shape.cls)
    if isinstance(shape, Object) and isinstance(value, Mapping):
        return _parameters(shape.cls, value, ())
    if not shape.fits(value):
        return value
    children = [_value(item, inner) for _, item, inner in shape.children(value)]
    return shape.rebuild(value, children) if children else value
