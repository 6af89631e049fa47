"""Which installed package provides which part: entry points, read without importing any package.

A provider is one entry point in a group such as ``dlcreg.heads``. The built-in parts are providers
of the distribution ``dlcreg`` itself. Nothing is read before the first question is asked.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import importlib_metadata

from dlcreg.errors import PluginError

OWN = "dlcreg"
_API_GROUP = "dlcreg.api"
CHECKS_GROUP = "dlcreg.checks"
"""The entry-point group of what a package says about the checks of its parts."""


@dataclass(frozen=True)
class Provider:
    """One part of one installed package.

    Args:
        group: entry-point group, such as ``dlcreg.heads``.
        name: the name that configs use.
        value: ``module:Class``.
        distribution: name of the package as pip knows it.
        version: its version.
        api: version of the plug-in API that the package declares, or None.
        disabled: named in ``DLCREG_DISABLE``.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str
    api: str | None = None
    disabled: bool = False

    @property
    def qualified(self) -> str:
        """The name that is never ambiguous: ``distribution/Name``."""
        return f"{self.distribution}/{self.name}"

    @property
    def builtin(self) -> bool:
        """Whether dlcreg itself provides the part."""
        return self.distribution == OWN

    @property
    def package(self) -> str:
        """Distribution and version in words."""
        return f"{self.distribution} {self.version}"


def canonical(distribution: str) -> str:
    """Return a distribution's name as pip compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def disabled_packages() -> set[str]:
    """Return the canonical names in ``DLCREG_DISABLE``."""
    names = os.environ.get("DLCREG_DISABLE", "").split(",")
    return {canonical(name.strip()) for name in names if name.strip()}


@functools.lru_cache(maxsize=1)
def _scan() -> dict[str, tuple[Provider, ...]]:
    """Read the entry points of every installed distribution once."""
    disabled = disabled_packages()
    seen: set[str] = set()
    found: dict[str, list[Provider]] = {}
    for dist in importlib_metadata.distributions():
        text = _read(dist, "entry_points.txt")
        if "dlcreg." not in text:
            continue
        name, version = _name_and_version(dist)
        key = canonical(name)
        if key in seen:  # an earlier place on sys.path hides this one, as for imports
            continue
        seen.add(key)
        entries = [entry for entry in _entries(text) if entry[0].startswith("dlcreg.")]
        api = next((entry for group, entry, _ in entries if group == _API_GROUP), None)
        off = key in disabled and key != OWN
        for group, part, value in entries:
            if group not in (_API_GROUP, CHECKS_GROUP):
                provider = Provider(group, part, value, name, version, api, off)
                found.setdefault(group, []).append(provider)
    return {group: tuple(members) for group, members in found.items()}


def _read(dist: Any, file: str) -> str:
    try:
        return dist.read_text(file) or ""
    except (OSError, UnicodeDecodeError):  # damaged metadata is to break nothing else
        return ""


def _name_and_version(dist: Any) -> tuple[str, str]:
    """Read two lines of the metadata; parsing all of it takes longer than everything else."""
    head = (_read(dist, "METADATA") or _read(dist, "PKG-INFO")).partition("\n\n")[0]
    name = re.search(r"^Name:[ \t]*(\S+)", head, re.MULTILINE)
    version = re.search(r"^Version:[ \t]*(\S+)", head, re.MULTILINE)
    return name[1] if name else "unknown", version[1] if version else "0"


def _entries(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield group, name and value; a line that is none has an empty value and breaks no other."""
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            group = line.strip("[] ")
        elif line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield group, name.strip(), re.sub(r"\s*\[.*\]$", "", value).replace(" ", "")


def refresh() -> None:
    """Forget what was read, for a process in which packages are installed while it runs."""
    importlib.invalidate_caches()
    _scan.cache_clear()
    _packages.cache_clear()


@functools.lru_cache(maxsize=1)
def _packages() -> Mapping[str, list[str]]:
    """Distributions by top-level module: reads every installed file list, so it is done once."""
    return importlib_metadata.packages_distributions()


def distribution_of(module: str) -> tuple[str, str]:
    """Return name and version of the distribution that a module is from; empty if of none."""
    top = module.partition(".")[0]
    try:
        dist = importlib_metadata.distribution(top)
    except (importlib_metadata.PackageNotFoundError, ValueError, OSError):
        pass
    else:  # named as its module, as most are; and the module is where it was installed
        file = getattr(sys.modules.get(top), "__file__", None)
        folder = Path(str(dist.locate_file("")))
        if file and folder in Path(file).parents:
            return dist.name, dist.version
    for name in _packages().get(top, []):
        return name, importlib_metadata.version(name)
    return "", ""


def providers(group: str) -> tuple[Provider, ...]:
    """Return all providers of a group, disabled ones included, without importing them."""
    return _scan().get(group, ())


def plugin_packages() -> dict[str, list[Provider]]:
    """Return the providers of each package but dlcreg, by its name as pip knows it."""
    found: dict[str, list[Provider]] = {}
    for members in _scan().values():
        for provider in members:
            if not provider.builtin:
                found.setdefault(provider.distribution, []).append(provider)
    return found


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return importlib_metadata.version(distribution)
    except (importlib_metadata.PackageNotFoundError, ValueError, OSError):
        return None


def own_version() -> str:
    """Return the version of the installed dlcreg."""
    version = installed_version(OWN)
    if version is None:
        raise PluginError(
            "dlcreg is not installed, so its own parts cannot be found. "
            "Run `pip install .` (or `pip install -e .`) in its folder."
        )
    return version
