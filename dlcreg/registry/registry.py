"""A registry: the classes of one kind, filled by decorators and by entry points."""

from __future__ import annotations

import difflib
import inspect
import logging
import sys
from typing import Any

from mmengine.registry import Registry as MMEngineRegistry

from dlcreg import plugins
from dlcreg.errors import PluginError, UnknownPartError
from dlcreg.plugins import Provider
from dlcreg.plugins.source import digest
from dlcreg.registry.library import Library
from dlcreg.registry.listing import Listed, listing
from dlcreg.registry.part import Part, resolve, source_of, target_of, where

logger = logging.getLogger("dlcreg")

REGISTRIES: dict[str, Registry] = {}
"""All registries by their plural names."""


class Registry(MMEngineRegistry):
    """A registry of classes of one kind.

    Args:
        name: plural name of the kind, such as ``heads``; the entry-point group is ``dlcreg.heads``.
        base: ``module:Class`` that every member derives from, imported at the first use.
        kind: the kind in the singular, for messages.
        library: ``module`` whose public subclasses of the base are found by class name too.
        foreign: ``module:REGISTRY`` of mmengine that holds them, where `library` has others too.
    """

    def __init__(
        self, name: str, base: str, kind: str, library: str = "", foreign: str = ""
    ) -> None:
        super().__init__(name, scope="dlcreg")
        self.group = f"dlcreg.{name}"
        self.kind = kind
        self._base = base
        self.library = Library(library, base, foreign) if library else None
        self._registered: dict[str, list[type]] = {}
        self._forced: dict[str, type] = {}
        self._replaced: dict[type, str] = {}

    @property
    def base(self) -> type:
        """The class that every member derives from."""
        return resolve(self._base)  # type: ignore[no-any-return]

    @property
    def registered(self) -> dict[str, list[type]]:
        """What decorators registered in this process, by name."""
        return self._registered

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
        plugins.check_base(cls, self.base, f"{name} in {where(cls)}")
        others = [c for c in self._registered.get(name, []) if target_of(c) != target_of(cls)]
        if not cls.__module__.startswith(f"{plugins.OWN}."):
            self._settle(cls, name, others, force)
        self._registered[name] = [*others, cls]
        self._module_dict[name] = cls  # what mmengine's own look-ups and len() read

    def _settle(self, cls: type, name: str, others: list[type], force: bool) -> None:
        """Replace what has the name already, or refuse to take it from there."""
        taken = [p.qualified for p in self._providers(name) if p.builtin]
        taken += [where(c) for c in others if not self.provider_of(c, name)]
        if force:
            self._forced[name] = cls
            if taken:
                self._replaced[cls] = ", ".join(taken)
                logger.warning(
                    "%s %s of %s replaces %s", self.kind, name, where(cls), self._replaced[cls]
                )
        elif taken and not self.provider_of(cls, name):
            raise PluginError(
                f"{self.kind} {name!r} in {where(cls)}: the name is taken by {taken[0]}. "
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
        provider = self.provider_of(cls, name)
        if provider is not None:
            dist, version = provider.distribution, provider.version
        else:
            dist, version = plugins.distribution_of(cls.__module__)
        return Part(
            registry=self.name,
            name=name,
            distribution=dist,
            version=version,
            target=target_of(cls),
            sha256=digest(source_of(cls)),
            replaces=self._replaced.get(cls, ""),
        )

    def names(self) -> list[str]:
        """Return every bare name that can be tried, sorted, without importing a plug-in."""
        found = set(self._registered) | {p.name for p in plugins.providers(self.group)}
        return sorted(found | self.library_names())

    def library_names(self) -> set[str]:
        """Return the names that torch or mmengine give, which no package's entry point does."""
        return self.library.names() if self.library else set()

    def listing(self) -> list[Listed]:
        """Return all parts with package, version and status, without importing a plug-in."""
        return listing(self)

    def provider_of(self, cls: type, name: str) -> Provider | None:
        """Return the entry point that a class is meant by, also where it is only passed on."""
        target, top = target_of(cls), cls.__module__.partition(".")[0]
        named = self._providers(name)
        exact = [p for p in named if p.value == target]
        near = [p for p in named if p.value.partition(":")[0].partition(".")[0] == top]
        if exact:
            return exact[0]
        return near[0] if len(near) == 1 else None

    def _bare(self, name: str) -> type:
        if name in self._forced:
            return self._forced[name]
        for cls in reversed(self._registered.get(name, [])):
            if not self.provider_of(cls, name):
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
        found = self.library.get(name) if self.library else None
        if found is not None:
            return found
        disabled = self._providers(name)
        if disabled:
            return plugins.load(disabled[0], self.base)  # raises, saying how to switch it on
        raise UnknownPartError(self._unknown(name))

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
        library = self.library
        if library is not None and plugins.canonical(package) == library.distribution:
            found = library.get(name)
            if found is not None:
                return found
        raise UnknownPartError(
            f"{self.kind} {key!r}: no installed package {package!r} provides {self.name}. "
            f"Install it with: pip install {package}"
        )

    def _import_path(self, key: str) -> type:
        try:
            target = resolve(key)
        except (Exception, SystemExit) as error:
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

    def _providers(self, name: str) -> list[Provider]:
        return [p for p in plugins.providers(self.group) if p.name == name]
