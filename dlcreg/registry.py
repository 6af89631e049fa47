"""The registries: each a root of its own, filled by decorators and by entry points.

```python
from dlcreg import HEADS
from dlcreg.contracts import Head

@HEADS.register_module()
class MyHead(Head): ...
```

`Registry.get` takes what a config may write as ``type=``: a bare name, ``'package/Name'``,
``'module.path:Name'`` or a class.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import logging
import sys
from dataclasses import dataclass
from typing import Any

from mmengine.registry import Registry as MMEngineRegistry

from dlcreg import plugins
from dlcreg.errors import PluginError
from dlcreg.plugins import Provider

logger = logging.getLogger("dlcreg")


@dataclass(frozen=True)
class Part:
    """What an object that was built from a config remembers of its origin.

    Args:
        registry: plural name of the registry, such as ``heads``.
        name: name in that registry.
        distribution: package that provides it; empty for a class of the user's own script.
        version: version of that package.
        target: ``module:Class``.
    """

    registry: str
    name: str
    distribution: str
    version: str
    target: str


@dataclass(frozen=True)
class Listed:
    """One line of `Registry.listing`: a part that can be named, not necessarily imported."""

    name: str
    distribution: str
    version: str
    target: str
    status: str


class Registry(MMEngineRegistry):
    """A registry of classes of one kind.

    Args:
        name: plural name of the kind, such as ``heads``; the entry-point group is ``dlcreg.heads``.
        base: ``module:Class`` that every member derives from, imported at the first use.
        kind: the kind in the singular, for messages.
        library: ``module`` whose public subclasses of the base are found by class name too.
        foreign: ``module:REGISTRY`` of mmengine whose members are found by name too.
    """

    def __init__(
        self, name: str, base: str, kind: str, library: str = "", foreign: str = ""
    ) -> None:
        super().__init__(name, scope="dlcreg")
        self.group = f"dlcreg.{name}"
        self.kind = kind
        self._base = base
        self._library = library
        self._foreign = foreign
        self._registered: dict[str, list[type]] = {}
        self._forced: dict[str, type] = {}

    @property
    def base(self) -> type:
        """The class that every member derives from."""
        return _resolve(self._base)  # type: ignore[no-any-return]

    def covers(self, cls: type) -> bool:
        """Return whether `cls` derives from the base, without importing the base to know it."""
        imported = self._base.partition(":")[0] in sys.modules
        return imported and issubclass(cls, self.base)

    # -- registering ---------------------------------------------------------------------------

    def register_module(  # type: ignore[override]
        self, name: Any = None, force: bool = False, module: type | None = None
    ) -> Any:
        """Register a class, as a decorator with or without parentheses, or by a call.

        Args:
            name: name in configs; the class's own name by default.
            force: replace a built-in or another class of this name; logged and recorded.
            module: the class, where this is called and not used as a decorator.

        Raises:
            PluginError: the name is taken, or the class is not of this registry's kind.
        """
        if inspect.isclass(name):  # @HEADS.register_module without parentheses
            self._register_class(name, name.__name__, force)
            return name
        if name is not None and not isinstance(name, str):
            raise PluginError(
                f"{self.name}.register_module takes a name or a class, not {type(name).__name__}"
            )
        if module is not None:
            self._register_class(module, name or module.__name__, force)
            return module

        def decorate(cls: type) -> type:
            self._register_class(cls, name or cls.__name__, force)
            return cls

        return decorate

    def _register_class(self, cls: type, name: str, force: bool) -> None:
        plugins.check_base(cls, self.base, f"{name} in {_where(cls)}")
        others = [c for c in self._registered.get(name, []) if target_of(c) != target_of(cls)]
        if not cls.__module__.startswith(f"{plugins.OWN}."):
            self._settle(cls, name, others, force)
        self._registered[name] = [*others, cls]
        self._module_dict[name] = cls  # what mmengine's own look-ups and len() read

    def _settle(self, cls: type, name: str, others: list[type], force: bool) -> None:
        """Replace what has the name already, or refuse to take it from there."""
        taken = [p.qualified for p in self._providers(name) if p.builtin]
        taken += [_where(c) for c in others if not self._provider_of(c, name)]
        if force:
            self._forced[name] = cls
            if taken:
                logger.warning("%s %s of %s replaces %s", self.kind, name, _where(cls), taken[-1])
        elif taken and not self._provider_of(cls, name):
            raise PluginError(
                f"{self.kind} {name!r} in {_where(cls)}: the name is taken by {taken[0]}. "
                "Give the class another name, or replace it with register_module(force=True)."
            )

    # -- finding -------------------------------------------------------------------------------

    def get(self, key: str | type) -> type:
        """Return the class that ``type=key`` means.

        Args:
            key: ``'Name'``, ``'package/Name'``, ``'module.path:Name'`` or a class.

        Raises:
            PluginError: unknown, ambiguous, broken or of another kind.
        """
        if inspect.isclass(key):
            plugins.check_base(key, self.base, f"{self.kind} {key.__qualname__}")
            return key
        if not isinstance(key, str):
            raise PluginError(f"type must be a name or a class, not {type(key).__name__}: {key!r}")
        if ":" in key:
            return self._import_path(key)
        if "/" in key:
            return self._qualified(key)
        return self._bare(key)

    def part(self, key: str | type) -> Part:
        """Return where the class that ``type=key`` means comes from."""
        cls = self.get(key)
        name = key if isinstance(key, str) and ":" not in key else cls.__name__
        name = name.rpartition("/")[2]
        provider = self._provider_of(cls, name)
        if provider is not None:
            return Part(self.name, name, provider.distribution, provider.version, provider.value)
        dist, version = plugins.distribution_of(cls.__module__)
        return Part(self.name, name, dist, version, target_of(cls))

    def names(self) -> list[str]:
        """Return every bare name that can be tried, sorted, without importing a plug-in."""
        found = set(self._registered) | {p.name for p in plugins.providers(self.group)}
        return sorted(found | self.library_names())

    def library_names(self) -> set[str]:
        """Return the names that torch or mmengine give, which no package's entry point does."""
        return {*self._library_names(), *self._foreign_names()}

    def listing(self) -> list[Listed]:
        """Return all parts with package, version and status, without importing a plug-in.

        The status is ``ok``, ``disabled``, ``clash`` (say ``package/Name``) or ``needs API N``.
        """
        rows: list[Listed] = []
        known = plugins.providers(self.group)
        for p in known:
            rows.append(Listed(p.name, p.distribution, p.version, p.value, self._status(p, known)))
        targets = {row.target for row in rows}
        for name, classes in self._registered.items():
            for cls in classes:
                if target_of(cls) not in targets:
                    dist, version = plugins.distribution_of(cls.__module__)
                    rows.append(
                        Listed(name, dist or "(this process)", version, target_of(cls), "ok")
                    )
        return sorted(rows, key=lambda row: (row.name.lower(), row.distribution))

    def _status(self, provider: Provider, known: tuple[Provider, ...]) -> str:
        if provider.disabled:
            return "disabled"
        try:
            plugins.check_api(provider)
        except PluginError:
            return f"needs API {provider.api}"
        rivals = [p for p in known if p.name == provider.name and not p.disabled]
        return "clash" if len(rivals) > 1 and not provider.builtin else "ok"

    def _bare(self, name: str) -> type:
        if name in self._forced:
            return self._forced[name]
        for cls in reversed(self._registered.get(name, [])):
            if not self._provider_of(cls, name):
                return cls
        candidates = [p for p in self._providers(name) if not p.disabled]
        chosen = [p for p in candidates if p.builtin] or candidates
        if len(chosen) == 1:
            return plugins.load(chosen[0], self.base)
        if chosen:
            chosen = sorted(chosen, key=lambda p: p.qualified)
            listed = " or ".join(repr(p.qualified) for p in chosen)
            packages = ", ".join(p.package for p in chosen)
            raise PluginError(
                f"{self.kind} {name!r} is provided by {len(chosen)} packages ({packages}). "
                f"Say which one: type={listed}"
            )
        found = self._from_library(name) or self._from_foreign(name)
        if found is not None:
            return found
        disabled = self._providers(name)
        if disabled:
            return plugins.load(disabled[0], self.base)  # raises, saying how to switch it on
        raise PluginError(self._unknown(name))

    def _qualified(self, key: str) -> type:
        package, _, name = key.partition("/")
        of_package = [
            p
            for p in plugins.providers(self.group)
            if plugins.canonical(p.distribution) == plugins.canonical(package)
        ]
        for provider in of_package:
            if provider.name == name:
                return plugins.load(provider, self.base)
        if of_package:
            names = ", ".join(p.name for p in of_package)
            raise PluginError(f"package {package} has no {self.kind} {name!r}. It has: {names}")
        raise PluginError(
            f"{self.kind} {key!r}: no installed package {package!r} provides {self.name}. "
            f"Install it with: pip install {package}"
        )

    def _import_path(self, key: str) -> type:
        try:
            target = _resolve(key)
        except (ImportError, AttributeError) as error:
            raise PluginError(
                f"{self.kind} {key!r} cannot be imported: {type(error).__name__}: {error}. "
                "An import path reads 'package.module:Class'."
            ) from error
        plugins.check_base(target, self.base, f"{self.kind} {key!r}")
        return target  # type: ignore[no-any-return]

    def _unknown(self, name: str) -> str:
        known = self.names()
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        lower = [k for k in known if k.lower() == name.lower()]
        hint = f" Did you mean {(lower or close)[0]!r}?" if lower or close else ""
        elsewhere = [r for r in REGISTRIES.values() if r is not self and name in r.names()]
        if elsewhere and not lower:
            hint = f" It is a {elsewhere[0].kind}; a {self.kind} is wanted here."
        shown = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
        return f"there is no {self.kind} {name!r}.{hint} Known: {shown or 'none'}."

    # -- where classes come from ---------------------------------------------------------------

    def _providers(self, name: str) -> list[Provider]:
        return [p for p in plugins.providers(self.group) if p.name == name]

    def _provider_of(self, cls: type, name: str) -> Provider | None:
        target = target_of(cls)
        return next((p for p in self._providers(name) if p.value.replace(" ", "") == target), None)

    def _library_names(self) -> list[str]:
        if not self._library:
            return []
        module, base = importlib.import_module(self._library), self.base
        return [
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, base) and value is not base
        ]

    def _from_library(self, name: str) -> type | None:
        if name not in self._library_names():
            return None
        return getattr(importlib.import_module(self._library), name)  # type: ignore[no-any-return]

    def _foreign_names(self) -> list[str]:
        if not self._foreign:
            return []
        importlib.import_module(self._base.partition(":")[0])  # registers the members
        return list(_resolve(self._foreign).module_dict)

    def _from_foreign(self, name: str) -> type | None:
        if name not in self._foreign_names():
            return None
        return _resolve(self._foreign).module_dict[name]  # type: ignore[no-any-return]


def target_of(cls: type) -> str:
    """Return ``module:Class`` of a class."""
    return f"{cls.__module__}:{cls.__qualname__}"


def _where(cls: type) -> str:
    try:
        line = inspect.getsourcelines(cls)[1]
        return f"{inspect.getsourcefile(cls)}:{line}"
    except (OSError, TypeError):
        return target_of(cls)


def _resolve(path: str) -> Any:
    module, _, attribute = path.partition(":")
    target: Any = importlib.import_module(module)
    for name in attribute.split("."):
        target = getattr(target, name)
    return target


def _contract(name: str, cls: str, kind: str) -> Registry:
    return Registry(name, f"dlcreg.contracts:{cls}", kind)


MODELS = Registry("models", "torch.nn:Module", "model")
BACKBONES = _contract("backbones", "Backbone", "backbone")
NECKS = _contract("necks", "Neck", "neck")
HEADS = _contract("heads", "Head", "head")
CODECS = _contract("codecs", "Codec", "codec")
LOSSES = _contract("losses", "Loss", "loss")
OPTIMIZERS = Registry("optimizers", "torch.optim:Optimizer", "optimizer", library="torch.optim")
SCHEDULERS = Registry(
    "schedulers",
    "mmengine.optim:_ParamScheduler",
    "scheduler",
    foreign="mmengine.registry:PARAM_SCHEDULERS",
)
HOOKS = Registry("hooks", "mmengine.hooks:Hook", "hook", foreign="mmengine.registry:HOOKS")
TRANSFORMS = _contract("transforms", "Transform", "transform")
DATASETS = _contract("datasets", "Dataset", "data set")
METRICS = _contract("metrics", "Metric", "metric")

REGISTRIES: dict[str, Registry] = {
    registry.name: registry
    for registry in (
        MODELS,
        BACKBONES,
        NECKS,
        HEADS,
        CODECS,
        LOSSES,
        OPTIMIZERS,
        SCHEDULERS,
        HOOKS,
        TRANSFORMS,
        DATASETS,
        METRICS,
    )
}
"""All registries by their plural names."""
