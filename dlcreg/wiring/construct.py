"""Configs become objects; parameters that nobody wrote are filled in by name."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcreg.contracts import WiresInside
from dlcreg.errors import ConfigError, DlcregError, Problem
from dlcreg.registry import Registry
from dlcreg.schema.annotations import shape_of
from dlcreg.schema.check import Checker, join
from dlcreg.schema.shapes import Either, Object, PartOf, Shape
from dlcreg.schema.signature import Parameter, signature_of
from dlcreg.structures import DatasetInfo
from dlcreg.wiring.held import Guess, mismatch, one_of_several, wired_value
from dlcreg.wiring.measure import measure
from dlcreg.wiring.provenance import remember

BROKEN: Any = object()
"""Stands for what could not be built; the reason is among the problems."""


def construct(
    registry: Registry,
    cfg: Any,
    context: Mapping[str, Any] | None = None,
    path: str = "",
    *,
    default_type: str | type | None = None,
) -> Any:
    """Return the object that a config describes, with all its parts.

    A parameter that the config says nothing of is given the value of that name in `context`. What
    is built adds to the context of what follows: `out_channels` and `out_strides` become
    `in_channels` and `in_strides`, an `info` of a data set gives its keypoints.

    Args:
        registry: where ``type`` is looked up.
        cfg: the config; an object that is built already is returned as it is.
        context: values by parameter name.
        path: where the config stands, for messages.
        default_type: the type of a config that names none.

    Raises:
        ConfigError: all that is wrong with the config, or what the constructors refused.
    """
    if not isinstance(cfg, Mapping):
        return _as_it_is(registry, cfg, path)
    context = context or {}
    checker = Checker()
    provided = [name for name in context if name not in cfg]
    checker.part(registry, cfg, path, default_type=default_type, provided=provided)
    if checker.problems:
        raise ConfigError(checker.problems)
    wiring = Wiring()
    built = wiring.part(registry, cfg, path, context, default_type=default_type)
    if wiring.problems:
        raise ConfigError(dict.fromkeys(wiring.problems))
    return built


def _as_it_is(registry: Registry, value: Any, path: str) -> Any:
    if isinstance(value, registry.base):
        return value
    checker = Checker()
    checker.value(value, PartOf(registry), path)
    raise ConfigError(checker.problems)


@dataclass
class Wiring:
    """Builds a config that was checked, and collects what goes wrong.

    Args:
        problems: what could not be built, and why.
        built: every part that was built, by its path.
        sources: the config paths of values in the context that were written somewhere.
    """

    problems: list[Problem] = field(default_factory=list)
    built: dict[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def part(
        self,
        registry: Registry,
        cfg: Mapping[str, Any],
        path: str,
        context: Mapping[str, Any],
        *,
        default_type: str | type | None = None,
    ) -> Any:
        """Return the object of a registered class, or `BROKEN`."""
        kind: Any = cfg.get("type", default_type)
        cls = registry.get(kind)
        given = {key: value for key, value in cfg.items() if key != "type"}
        built = self.object(cls, given, path, context)
        if built is not BROKEN:
            remember(built, registry.part(kind))
        return built

    def object(
        self,
        cls: type,
        cfg: Mapping[str, Any],
        path: str,
        context: Mapping[str, Any],
        given: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return an object of a class, or `BROKEN`.

        Args:
            cls: the class.
            cfg: its parameters as a config.
            path: where they stand.
            context: values for parameters that the config does not name.
            given: finished values of further parameters.
        """
        given = given or {}
        arguments = self._arguments(cls, cfg, path, context, given)
        if any(value is BROKEN for value in arguments.values()):
            return BROKEN
        try:
            built = cls(**arguments, **given)
            measure(built, {**arguments, **context})
        except ConfigError as error:
            self.problems += [_below(path, problem) for problem in error.problems]
        except Exception as error:
            where = self._spoken_of(str(error), cfg, arguments, path)
            self.problems.append(refusal(cls, where, error))
        else:
            self.built[path] = built
            return built
        return BROKEN

    def value(self, value: Any, shape: Shape, path: str, context: Mapping[str, Any]) -> Any:
        """Return a value with every config inside it built, or `BROKEN`."""
        if isinstance(shape, Either):
            shape = shape.choose(value)
        if isinstance(shape, PartOf) and isinstance(value, Mapping):
            return self.part(shape.registry, value, path, context, default_type=shape.cls)
        if isinstance(shape, Object) and isinstance(value, Mapping):
            return self.object(shape.cls, value, path, context)
        if not shape.fits(value):  # None for a parameter whose default is None
            return value
        children = [
            self.value(item, inner, join(path, key), context)
            for key, item, inner in shape.children(value)
        ]
        if any(child is BROKEN for child in children):
            return BROKEN
        return shape.rebuild(value, children)

    def _arguments(
        self,
        cls: type,
        cfg: Mapping[str, Any],
        path: str,
        context: Mapping[str, Any],
        given: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return what `cls` is called with; parts are built in the order of its signature."""
        signature = signature_of(cls)
        local = dict(context)
        arguments: dict[str, Any] = {}
        for name, parameter in signature.parameters.items():
            shape = shape_of(parameter.annotation)
            if name in given:
                continue
            if name in cfg:
                # data sets stand side by side: none is told what another one found
                seen = context if _is_dataset(shape) else self._inside(cls, local, path)
                if seen is BROKEN:
                    arguments[name] = BROKEN
                    continue
                value = self.value(cfg[name], shape, join(path, name), seen)
                wrong = mismatch(name, value, local)
                if wrong:
                    self.problems.append(Problem(join(path, name), wrong))
                    value = BROKEN
                arguments[name] = value
                local.update(_told(value, shape))
            elif name in local:
                arguments[name] = self._wired(cls, parameter, shape, local[name], path)
            elif parameter.required:
                self.problems.append(Problem(path, _nothing_gives(cls, name)))
                arguments[name] = BROKEN
        arguments.update({k: v for k, v in cfg.items() if k not in arguments})
        return arguments

    def _inside(self, cls: type, context: Mapping[str, Any], path: str) -> Any:
        """Return what the parts inside a part are wired, or `BROKEN`."""
        if not issubclass(cls, WiresInside):
            return context
        try:
            return cls.wiring_inside(context)
        except ValueError as error:
            self.problems.append(refusal(cls, path, error))
            return BROKEN

    def _spoken_of(
        self, text: str, cfg: Mapping[str, Any], arguments: Mapping[str, Any], path: str
    ) -> str:
        """Return the path of the parameter that an error speaks of, else that of the part."""
        word = re.match(r"\w+", text)
        first = word[0] if word else ""
        if first in cfg:
            return join(path, first)
        places = {name: path for name, path in self.sources.items() if name in arguments}
        places.update({name: join(path, name) for name in cfg})
        for name, here in places.items():
            value = arguments.get(name)
            if isinstance(value, Mapping) and first in value:
                return join(here, first)
            if name not in cfg and re.search(rf"\b{name}\b", text):
                return here
        for name, here in places.items():
            value = arguments.get(name)
            if isinstance(value, (str, Path)) and len(str(value)) > 2 and str(value) in text:
                return here
        return path

    def _wired(self, cls: type, parameter: Parameter, shape: Shape, value: Any, path: str) -> Any:
        if value is BROKEN:
            return BROKEN
        value = value.value if isinstance(value, Guess) else value
        several = one_of_several(cls, parameter.name, value, shape)
        if several:
            self.problems.append(Problem(path, several))
            return BROKEN
        return wired_value(value, shape)


def _is_dataset(shape: Shape) -> bool:
    members = shape.members if isinstance(shape, Either) else (shape,)
    return any(isinstance(m, PartOf) and m.registry.name == "datasets" for m in members)


def _told(value: Any, shape: Shape) -> dict[str, Any]:
    """Return what a part tells those that follow it."""
    if value is BROKEN:
        members = shape.members if isinstance(shape, Either) else (shape,)
        parts = any(isinstance(member, PartOf) for member in members)
        return {"in_channels": BROKEN, "in_strides": BROKEN} if parts else {}
    told: dict[str, Any] = {}
    if hasattr(value, "out_channels") and hasattr(value, "out_strides"):
        told["in_channels"] = tuple(value.out_channels)
        told["in_strides"] = tuple(value.out_strides)
    info = getattr(value, "info", None)
    if isinstance(info, DatasetInfo):
        told.update(info.wiring())
    return told


def _nothing_gives(cls: type, name: str) -> str:
    return (
        f"{cls.__name__} needs {name!r}, and nothing here gives it. Write {name}=..., or give "
        f"it to the build function as a keyword argument."
    )


def _below(path: str, problem: Problem) -> Problem:
    """Return a problem that a part found in its own config, with its whole path."""
    known = problem.path == path or problem.path.startswith(f"{path}.")
    if not path or known or ("." not in path and problem.path):  # a section knows its whole paths
        return problem
    whole = join(path, problem.path) if problem.path else path
    return Problem(whole, problem.message, problem.location, problem.source)


def refusal(cls: type, path: str, error: Exception, failed: str = "cannot be built") -> Problem:
    """Return what a part said to being built, or to what else `failed`."""
    text = str(error)
    if isinstance(error, (DlcregError, ValueError)):
        return Problem(path, f"{cls.__name__}: {text}")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return Problem(
        path,
        f"{cls.__name__} {failed}: {type(error).__name__}: {text} "
        f"({frame.filename}:{frame.lineno})",
    )
