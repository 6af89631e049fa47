"""A config held against signatures: all that is wrong with it before anything is built."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dlcreg import plugins
from dlcreg.errors import DlcregError, Location, Problem, UnknownPartError
from dlcreg.registry import Registry
from dlcreg.schema.annotations import shape_of
from dlcreg.schema.marks import Deferred
from dlcreg.schema.shapes import DeferredPart, Either, ForeignPart, Keyed, Object, PartOf, Shape
from dlcreg.schema.signature import REQUIRED, Parameter, Signature, signature_of
from dlcreg.schema.words import shown, suggested, wrong_value

WIRED = (
    "in_channels",
    "in_strides",
    "input_size",
    "num_keypoints",
    "num_individuals",
    "skeleton",
    "flip_pairs",
    "keypoint_names",
    "individuals",
    "num_unique_keypoints",
    "unique_keypoint_names",
    "unique_flip_pairs",
)
"""Parameters that are filled in from the part before, or from the data set."""

PROVIDED = {"optimizers": ("params",), "schedulers": ("optimizer",)}
"""Parameters that whoever builds a part of these registries gives it."""

EXTRA = {"schedulers": ("convert_to_iter_based",), "hooks": ("priority",)}
"""Keys of mmengine's vocabulary that are no parameters."""

KNOWN_LATER = {"schedulers": ("end",), "datasets": ("seed", "split")}
"""Parameters whose default is not the class's own but comes from elsewhere in the config."""

DELETE = "_delete_"
"""The key with which a config drops what its bases say."""


def _nowhere(path: str) -> Location | None:
    return None


@dataclass
class Checker:
    """Collects the problems of a config.

    Args:
        locate: gives the place of a path; used to tell inherited values from written ones.
        problems: what was found so far.
        unknown_parts: tell of names that nothing installed provides.
    """

    locate: Callable[[str], Location | None] = _nowhere
    problems: list[Problem] = field(default_factory=list)
    unknown_parts: bool = True

    def part(
        self,
        registry: Registry,
        cfg: Mapping[str, Any],
        path: str,
        *,
        default_type: str | type | None = None,
        provided: Iterable[str] = (),
        extra: Iterable[str] = (),
    ) -> None:
        """Check the config of a registered class.

        Args:
            registry: where its ``type`` is looked up.
            cfg: the config.
            path: where it stands.
            default_type: the type of a config that names none.
            provided: parameters that it is given by whoever builds it.
            extra: keys that are taken out before it is built.
        """
        kind = cfg.get("type", default_type)
        if kind is None:
            self.add(path, _no_type(registry))
            return
        try:
            cls = registry.get(kind)
        except UnknownPartError as error:
            if self.unknown_parts:
                self.add(join(path, "type") if "type" in cfg else path, str(error))
            return
        except DlcregError as error:
            self.add(join(path, "type") if "type" in cfg else path, str(error))
            return
        given = {key: value for key, value in cfg.items() if key != "type" and key not in extra}
        self.parameters(cls, given, path, provided)

    def parameters(
        self, cls: type, cfg: Mapping[str, Any], path: str, provided: Iterable[str] = ()
    ) -> None:
        """Check the parameters of a class: names, values, and what is missing."""
        signature = signature_of(cls)
        provided = tuple(provided)
        meant: set[str] = set()
        for key, value in cfg.items():
            here = join(path, str(key))
            if not isinstance(key, str):
                self.add(path, f"{key!r} is no name of a parameter; quote it if it is one.")
            elif key in provided:
                self.add(here, f"{key!r} is given to {cls.__name__} by dlcreg. Leave it out.")
            elif key in signature.parameters:
                parameter = signature.parameters[key]
                if value is None and parameter.default is None:
                    continue
                self.value(value, shape_of(parameter.annotation), here)
            elif not signature.open:
                known = [name for name in signature.parameters if name not in provided]
                close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
                meant.update(close)
                self.add(here, self._unknown(cls, key, known, close, cfg, path))
        for parameter in signature.parameters.values():
            if parameter.required and parameter.name not in {*cfg, *provided, *meant, *WIRED}:
                self.add(path, _missing(cls, parameter, cfg, signature))

    def value(self, value: Any, shape: Shape, path: str) -> None:
        """Check a value, and everything inside it, against a shape."""
        if isinstance(shape, Either):
            shape = shape.choose(value)
        if not shape.fits(value):
            self.add(path, wrong_value(value, shape))
        elif isinstance(shape, PartOf):
            if isinstance(value, Mapping):
                self.part(shape.registry, value, path, default_type=shape.cls)
        elif isinstance(shape, DeferredPart):
            self._deferred(value, shape, path)
        elif isinstance(shape, ForeignPart):
            self._foreign(value, shape, path)
        elif isinstance(shape, Object):
            if isinstance(value, Mapping):
                self.parameters(shape.cls, value, path)
        else:
            if isinstance(shape, Keyed):
                self._keyed(value, shape, path)
            for key, item, inner in shape.children(value):
                self.value(item, inner, join(path, key))

    def add(self, path: str, message: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(path, message))

    def _deferred(self, value: Any, shape: DeferredPart, path: str) -> None:
        if isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                here = join(path, str(index))
                if isinstance(item, Mapping):
                    self._deferred(item, shape, here)
                elif not shape.fits(item):
                    self.add(here, wrong_value(item, PartOf(shape.registry)))
        elif isinstance(value, Mapping):
            mark = complete(shape.mark)
            self.part(shape.registry, value, path, provided=mark.provided, extra=mark.extra)

    def _foreign(self, value: Any, shape: ForeignPart, path: str) -> None:
        if isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                self.value(item, shape, join(path, str(index)))
        elif isinstance(value, Mapping):
            kind, here = value.get("type"), join(path, "type")
            if "type" not in value:
                self.add(path, f"no type: write the name of {shape.mark.words}, type='...'.")
            elif not isinstance(kind, str):
                self.add(here, f"must be the name of {shape.mark.words}, not {shown(kind)}.")
            else:
                try:
                    shape.mark.find(kind)
                except DlcregError as error:
                    self.add(here, str(error))
            if shape.mark.inside in value:
                inside = shape.mark.inside
                self.value(value[inside], shape, join(path, inside))

    def _keyed(self, value: Mapping[str, Any], shape: Keyed, path: str) -> None:
        known = [name for name, _ in shape.keys]
        for key in value:
            if key not in known:
                self.add(join(path, str(key)), f"unknown key {key!r}.{suggested(str(key), known)}")
        for key in known:
            if key in shape.required and key not in value:
                self.add(path, f"{key!r} is missing. Add {key}=...")

    def _unknown(
        self,
        cls: type,
        key: str,
        known: list[str],
        close: list[str],
        cfg: Mapping[str, Any],
        path: str,
    ) -> str:
        listed = f"It takes: {', '.join(known) if known else 'nothing'}."
        package = _plugin_of(cls)
        if package:  # its author is not dlcreg's: say whose part it is, and all that it takes
            meant = f" Did you mean {close[0]!r}?" if close else ""
            return f"{cls.__name__} of package {package} takes no {key!r}.{meant} {listed}"
        text = f"{cls.__name__} takes no {key!r}."
        if close:
            return f"{text} Did you mean {close[0]!r}?"
        for name, child in cfg.items():
            if isinstance(child, Mapping) and key in _parameters_of(cls, name, child):
                return f"{text} It is a parameter of {child['type']}: write it into {name!r}."
        inherited = self.locate(join(path, key)), self.locate(join(path, "type"))
        if all(inherited) and inherited[0].file != inherited[1].file:  # type: ignore[union-attr]
            return (
                f"{text} It comes from the base config, where another type stood: "
                f"{DELETE}=True in {path!r} drops what the base says."
            )
        return f"{text} {listed}"


def _plugin_of(cls: type) -> str:
    """Return name and version of the plug-in package that a class is from; empty if of none."""
    package, version = plugins.distribution_of(cls.__module__)
    if package == plugins.OWN or package not in plugins.plugin_packages():
        return ""
    return f"{package} {version}"


def complete(mark: Deferred) -> Deferred:
    """Return a mark with what its registry always provides and takes."""
    return Deferred(
        mark.registry,
        (*PROVIDED.get(mark.registry, ()), *mark.provided),
        (*EXTRA.get(mark.registry, ()), *mark.extra),
    )


def join(path: str, key: str) -> str:
    """Return the path of a value inside another."""
    return f"{path}.{key}" if path else key


def _parameters_of(cls: type, name: str, cfg: Mapping[str, Any]) -> Iterable[str]:
    """Return what the part that a child config names can be given."""
    parameter = signature_of(cls).parameters.get(name)
    shape = shape_of(parameter.annotation) if parameter else Shape()
    shape = shape.choose(cfg) if isinstance(shape, Either) else shape
    if not isinstance(shape, PartOf) or "type" not in cfg:
        return ()
    try:
        return signature_of(shape.registry.get(cfg["type"])).parameters
    except DlcregError:
        return ()


def _no_type(registry: Registry) -> str:
    names = ", ".join(registry.names()[:20])
    return f"no type: say which {registry.kind}, type='...'. Known: {names}."


def _missing(cls: type, parameter: Parameter, cfg: Mapping[str, Any], signature: Signature) -> str:
    shape = shape_of(parameter.annotation)
    name = parameter.name
    value = "dict(type='...')" if isinstance(shape, (PartOf, DeferredPart)) else "..."
    what = "" if type(shape) is Shape else f" ({shape.words})"
    return f"{cls.__name__} needs {name!r}{what}. Add {name}={value}"


__all__ = ["EXTRA", "PROVIDED", "REQUIRED", "WIRED", "Checker", "complete", "join"]
