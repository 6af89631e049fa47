"""Which installed package provides which part: entry points, read without importing any package.

A provider is one entry point in a group such as ``dlcreg.heads``. The built-in parts are providers
of the distribution ``dlcreg`` itself. Nothing is read before the first question is asked.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import importlib_metadata
from packaging.requirements import InvalidRequirement, Requirement

from dlcreg.errors import ConfigError, PluginError, Problem

PLUGIN_API = (1, 0)
"""Version of the contracts in `dlcreg.contracts`; another major version is another contract."""

OWN = "dlcreg"
_API_GROUP = "dlcreg.api"


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


@functools.lru_cache(maxsize=1)
def _scan() -> dict[str, tuple[Provider, ...]]:
    """Read the entry points of every installed distribution once."""
    disabled = {
        canonical(name) for name in os.environ.get("DLCREG_DISABLE", "").split(",") if name.strip()
    }
    seen: set[str] = set()
    found: dict[str, list[Provider]] = {}
    for dist in importlib_metadata.distributions():
        text = dist.read_text("entry_points.txt") or ""
        if "dlcreg." not in text:
            continue
        key = canonical(dist.name)
        if key in seen:  # an earlier place on sys.path hides this one, as for imports
            continue
        seen.add(key)
        entries = [entry for entry in dist.entry_points if entry.group.startswith("dlcreg.")]
        api = next((entry.name for entry in entries if entry.group == _API_GROUP), None)
        for entry in entries:
            if entry.group != _API_GROUP:
                provider = Provider(
                    entry.group,
                    entry.name,
                    entry.value,
                    dist.name,
                    dist.version,
                    api,
                    key in disabled and key != OWN,
                )
                found.setdefault(entry.group, []).append(provider)
    return {group: tuple(members) for group, members in found.items()}


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
    for dist in _packages().get(module.partition(".")[0], []):
        return dist, importlib_metadata.version(dist)
    return "", ""


def providers(group: str) -> tuple[Provider, ...]:
    """Return all providers of a group, disabled ones included, without importing them."""
    return _scan().get(group, ())


def load(provider: Provider, base: type) -> type:
    """Import a provider's class.

    Raises:
        PluginError: it is disabled, asks for another API version, fails to import, does not
            exist, or is not a subclass of `base`; the text names package, cause and remedy.
    """
    name, package = provider.qualified, provider.package
    if provider.disabled:
        raise PluginError(
            f"{name} is switched off by DLCREG_DISABLE={os.environ.get('DLCREG_DISABLE', '')!r}. "
            f"Remove {provider.distribution!r} from that variable to use it."
        )
    check_api(provider)
    module_name, _, attribute = provider.value.partition(":")
    try:
        target: Any = importlib.import_module(module_name.strip())
    except Exception as error:
        raise PluginError(
            f"{name} cannot be used: importing {module_name} of package {package} failed with "
            f"{type(error).__name__}: {error}{_place(error)}. {_repair(provider)}"
        ) from error
    for part in attribute.split(".") if attribute else []:
        if not hasattr(target, part):
            raise PluginError(
                f"{name} cannot be used: package {package} promises {provider.value}, but "
                f"{module_name} has no {part!r}. {_repair(provider)}"
            )
        target = getattr(target, part)
    check_base(target, base, f"{name} of package {package}")
    return target  # type: ignore[no-any-return]


def check_api(provider: Provider) -> None:
    """Raise a `PluginError` where the package was written for another major API version."""
    if provider.api is None:
        return
    try:
        major = int(provider.api.split(".")[0])
    except ValueError:
        raise PluginError(
            f"package {provider.package} declares the plug-in API {provider.api!r}, which is no "
            f"version such as {PLUGIN_API[0]}.{PLUGIN_API[1]}. {_repair(provider)}"
        ) from None
    if major != PLUGIN_API[0]:
        side = OWN if major > PLUGIN_API[0] else provider.distribution
        raise PluginError(
            f"{provider.qualified} cannot be used: package {provider.package} is written for "
            f"plug-in API {provider.api}, this dlcreg has {PLUGIN_API[0]}.{PLUGIN_API[1]}. "
            f"Upgrade {side}: pip install --upgrade {side}"
        )


def check_base(target: Any, base: type, what: str) -> None:
    """Raise a `PluginError` unless `target` is a subclass of `base`."""
    if not isinstance(target, type) or not issubclass(target, base):
        kind = "a class" if isinstance(target, type) else type(target).__name__
        raise PluginError(
            f"{what} cannot be used: it is {kind}, not a subclass of "
            f"{base.__module__}.{base.__qualname__}. Derive the class from {base.__name__}."
        )


def _place(error: Exception) -> str:
    """Return file and line of the innermost frame that is not Python's import system."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "importlib" not in f.filename and f.filename != __file__]
    return f" ({own[-1].filename}:{own[-1].lineno})" if own else ""


def _repair(provider: Provider) -> str:
    name = provider.distribution
    if provider.builtin:
        return f"Repair it with `pip install --force-reinstall {name}`."
    return (
        f"All other parts still work. Repair it with `pip install --upgrade --force-reinstall "
        f"{name}`, or leave it out with DLCREG_DISABLE={name}."
    )


def check_required(requirements: Sequence[str] | str) -> None:
    """Check the `required_plugins` of a config, such as ``['my-package>=1.2']``.

    Raises:
        ConfigError: packages are missing, too old or badly written; all are listed.
    """
    problems: list[Problem] = []
    lines: Iterable[str] = [requirements] if isinstance(requirements, str) else requirements
    for index, line in enumerate(lines):
        path = f"required_plugins.{index}"
        try:
            wanted = Requirement(line)
        except (InvalidRequirement, TypeError):
            message = f"{line!r} is no requirement; write it as for pip, such as 'my-package>=1.2'"
            problems.append(Problem(path, message))
            continue
        remedy = f"Install it with: pip install '{line}'"
        try:
            version = importlib_metadata.version(wanted.name)
        except importlib_metadata.PackageNotFoundError:
            problems.append(Problem(path, f"package {wanted.name} is not installed. {remedy}"))
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            message = f"package {wanted.name} {version} does not meet {line!r}. {remedy}"
            problems.append(Problem(path, message))
    if problems:
        raise ConfigError(problems)


def own_version() -> str:
    """Return the version of the installed dlcreg."""
    try:
        return importlib_metadata.version(OWN)
    except importlib_metadata.PackageNotFoundError:
        raise PluginError(
            "dlcreg is not installed, so its own parts cannot be found. "
            "Run `pip install .` (or `pip install -e .`) in its folder."
        ) from None
