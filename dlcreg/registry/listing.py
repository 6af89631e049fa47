"""All parts that can be named, with what is known of them without importing any."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dlcreg import plugins
from dlcreg.errors import PluginError
from dlcreg.plugins import Provider, source
from dlcreg.registry.part import target_of

if TYPE_CHECKING:
    from dlcreg.registry.registry import Registry

HERE = "(this process)"
"""Stands for the package of a class that was registered outside any."""


@dataclass(frozen=True)
class Listed:
    """One line of `Registry.listing`: a part that can be named, not necessarily imported.

    Args:
        kind: plural name of its registry.
        name: the name in configs.
        purpose: first sentence of its docstring, read from the source by `select`; else empty.
        distribution: the package that provides it.
        version: version of that package.
        target: ``module:Class``.
        status: ``ok``, ``broken``, ``disabled``, ``clash`` (say ``package/Name``) or
            ``needs API 2.0``.
    """

    kind: str
    name: str
    purpose: str
    distribution: str
    version: str
    target: str
    status: str


def listing(registry: Registry) -> list[Listed]:
    """Return all parts of a registry in natural order, without importing a plug-in."""
    rows = [*_provided(registry), *_registered(registry)]
    taken = {row.name for row in rows if row.distribution in (plugins.OWN, HERE)}
    rows += [row for row in _of_library(registry) if row.name not in taken]
    return sorted(rows, key=lambda row: (natural(row.name), row.distribution))


def select(
    registries: Mapping[str, Registry], kind: str | None = None, pattern: str | None = None
) -> list[Listed]:
    """Return the parts of a kind, or of all, whose name fits a pattern, with their purposes.

    Args:
        registries: all registries by name.
        kind: plural name of a registry; None for all.
        pattern: with wildcards as in ``*ResNet*``, no matter the case; with a slash it is held
            against ``package/Name``.

    Raises:
        PluginError: there is no such kind.
    """
    if kind is not None and kind not in registries:
        raise PluginError(f"there is no kind {kind!r}. Kinds: {', '.join(registries)}")
    found: list[Listed] = []
    for name in [kind] if kind else registries:
        rows = [row for row in listing(registries[name]) if _fits(row, pattern)]
        found += [replace(row, purpose=source.purpose(row.target)) for row in rows]
    return found


def tried(registry: Registry, row: Listed) -> tuple[Listed, str]:
    """Import a part; return its row as it then stands, and what is wrong with it."""
    if row.distribution == HERE or row.status not in ("ok", "clash", "broken"):
        return row, ""
    try:
        registry.get(f"{row.distribution}/{row.name}")
    except PluginError as error:
        return replace(row, status="broken"), str(error)
    return row, ""


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts numbers inside names by their size, and no matter the case."""
    pieces = re.split(r"(\d+)", name.lower())
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pieces)


def _fits(row: Listed, pattern: str | None) -> bool:
    if not pattern:
        return True
    name = f"{row.distribution}/{row.name}" if "/" in pattern else row.name
    return fnmatch.fnmatchcase(name.lower(), pattern.lower())


def _provided(registry: Registry) -> Iterator[Listed]:
    known = plugins.providers(registry.group)
    for p in known:
        row = Listed(registry.name, p.name, "", p.distribution, p.version, p.value, "")
        yield replace(row, status=_status(p, known))


def _status(provider: Provider, known: Iterable[Provider]) -> str:
    if provider.disabled:
        return "disabled"
    try:
        plugins.check_api(provider)
    except PluginError:
        return f"needs API {provider.api}"
    if not source.exists(provider.value):
        return "broken"
    rivals = [p for p in known if p.name == provider.name and not p.disabled]
    return "clash" if len(rivals) > 1 and not provider.builtin else "ok"


def _registered(registry: Registry) -> Iterator[Listed]:
    for name, classes in registry.registered.items():
        for cls in classes:
            if registry.provider_of(cls, name) is None:
                dist, version = plugins.distribution_of(cls.__module__)
                target = target_of(cls)
                yield Listed(registry.name, name, "", dist or HERE, version, target, "ok")


def _of_library(registry: Registry) -> Iterator[Listed]:
    library = registry.library
    if library is None:
        return
    version = plugins.installed_version(library.distribution) or ""
    for name in library.names():
        target = f"{library.module}:{name}"
        yield Listed(registry.name, name, "", library.distribution, version, target, "ok")
