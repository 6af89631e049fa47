"""Whether an installed package is fit to be published: its metadata, entry points and all parts.

A part that needs more than its name, or fails a check for a reason, says so in its package by an
entry point of the group ``dlcreg.checks``: a dict, or a function that returns it, of keyword
arguments of `check_component` by part, and under ``expected_failures`` the reason of each check
that is to fail.

```python
# my_package/checks.py; the entry point in setup.cfg: parts = my_package.checks:PARTS
PARTS = {
    "heads/MyHead": {
        "arguments": {"width": 8},
        "expected_failures": {"bfloat16_pixels": "it counts, and a count has no half precision"},
    }
}
```
"""

from __future__ import annotations

import difflib
import importlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import importlib_metadata
from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from dlcreg import plugins
from dlcreg.errors import DlcregError, PluginError
from dlcreg.plugins import CHECKS_GROUP, PLUGIN_API, Provider
from dlcreg.registry import REGISTRIES, Registry
from dlcreg.testing.results import CheckFailed, CheckResult, CheckSkipped, fail, skip
from dlcreg.testing.runner import check_component, checks_for

MAX_IMPORT = 1.0
"""CPU seconds that importing all parts of a package may take beyond what dlcreg imports itself."""


@dataclass(frozen=True)
class PackageReport:
    """The outcome of all checks of a package.

    Args:
        distribution: name of the package.
        version: its version.
        results: by ``package`` and by part, such as ``heads/MyHead``.
    """

    distribution: str
    version: str
    results: dict[str, list[CheckResult]]

    @property
    def failed(self) -> list[tuple[str, CheckResult]]:
        """Part and result of each check that failed."""
        return [
            (part, result)
            for part, results in self.results.items()
            for result in results
            if result.status == "failed"
        ]


@dataclass
class _Package:
    """The package under test."""

    dist: Any
    providers: list[tuple[Registry, Provider]]
    import_seconds: float = 0.0
    broken: dict[str, str] = field(default_factory=dict)
    """Why a part cannot be imported, by part."""

    def said(self, key: str) -> str:
        """Return a field of the metadata; empty where it says nothing."""
        text = str(self.dist.metadata.get(key) or "").strip()
        return "" if text == "UNKNOWN" else text


def check_package(name: str) -> PackageReport:
    """Return what the checks say of an installed package and of every part it provides.

    Args:
        name: of the distribution, as pip knows it.

    Raises:
        PluginError: it is not installed, provides no part, or declares options that are none.
    """
    package = _found(name)
    importlib.import_module("dlcreg.apis")  # what a training imports anyway, see import_cost
    _import(package)
    results = {"package": [_run(check, package) for check in CHECKS]}
    options = _options(package)
    for registry, provider in package.providers:
        part = f"{registry.name}/{provider.name}"
        own = options.pop(part, {})
        if part not in package.broken:
            results[part] = _checked(registry.name, provider, own)
    if options:
        raise PluginError(
            f"{CHECKS_GROUP} of package {name} speaks of {next(iter(options))!r}, which is none "
            f"of its parts: {', '.join(f'{r.name}/{p.name}' for r, p in package.providers)}."
        )
    return PackageReport(package.dist.name, package.dist.version, results)


def _found(name: str) -> _Package:
    try:
        dist = importlib_metadata.distribution(name)
    except (importlib_metadata.PackageNotFoundError, ValueError):
        known = sorted({p.distribution for _, p in _all_providers()} - {plugins.OWN})
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        source = name if Path(name).is_dir() else "PATH/TO/ITS/FOLDER"
        raise PluginError(
            f"package {name!r} is not installed.{hint} Plug-ins are checked as they are installed: "
            f"pip install -e {source}"
        ) from None
    own = [
        (registry, provider)
        for registry, provider in _all_providers()
        if plugins.canonical(provider.distribution) == plugins.canonical(dist.name)
    ]
    if not own and not any(e.group.startswith("dlcreg.") for e in dist.entry_points):
        raise PluginError(
            f"package {dist.name} {dist.version} provides no part of dlcreg: it has no entry point "
            "in a group such as dlcreg.heads."
        )
    return _Package(dist, own)


def _all_providers() -> list[tuple[Registry, Provider]]:
    return [(r, p) for r in REGISTRIES.values() for p in plugins.providers(r.group)]


def _import(package: _Package) -> None:
    """Import all parts once, and measure it."""
    for registry, provider in package.providers:
        base = registry.base
        started = time.process_time()
        try:
            plugins.load(provider, base)
        except DlcregError as error:
            package.broken[f"{registry.name}/{provider.name}"] = str(error)
        package.import_seconds += time.process_time() - started


def _options(package: _Package) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for entry in package.dist.entry_points:
        if entry.group != CHECKS_GROUP:
            continue
        try:
            content = entry.load()
            content = content() if callable(content) else content
        except Exception as error:
            raise PluginError(
                f"{CHECKS_GROUP} of package {package.dist.name} names {entry.value}, which "
                f"cannot be used: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(content, Mapping):
            raise PluginError(
                f"{CHECKS_GROUP} of package {package.dist.name} names {entry.value}, which must "
                f"be a dict by part, such as {{'heads/MyHead': {{'arguments': {{...}}}}}}, not "
                f"{type(content).__name__}."
            )
        found.update(content)
    return found


def _checked(kind: str, provider: Provider, options: Any) -> list[CheckResult]:
    where = f"{CHECKS_GROUP} of package {provider.distribution}: {kind}/{provider.name}"
    reasons = options.get("expected_failures", {}) if isinstance(options, Mapping) else None
    if not isinstance(reasons, Mapping):
        raise PluginError(
            f"{where} must be a dict such as {{'arguments': {{...}}, 'expected_failures': "
            f"{{'name_of_a_check': 'why'}}}}, not {options!r}."
        )
    unknown = [name for name in reasons if name not in checks_for(kind)]
    if unknown:
        raise PluginError(
            f"{where} has no check {unknown[0]!r}. Checks: {', '.join(checks_for(kind))}"
        )
    rest = {key: value for key, value in options.items() if key != "expected_failures"}
    try:
        results = check_component(kind, provider.qualified, **rest)
    except TypeError as error:
        raise PluginError(f"{where}: {error}") from error
    return [_expected(result, reasons.get(result.check)) for result in results]


def _expected(result: CheckResult, reason: str | None) -> CheckResult:
    if reason is None:
        return result
    if result.status == "failed":
        return replace(result, status="skipped", message=f"fails, as expected: {reason}")
    return replace(
        result,
        status="failed",
        message=f"{result.check} is expected to fail ({reason}), but it is {result.status}. Take "
        "it out of expected_failures.",
    )


def _run(check: Callable[[_Package], str], package: _Package) -> CheckResult:
    name = check.__name__
    try:
        return CheckResult(name, "passed", check(package))
    except CheckSkipped as skipped:
        return CheckResult(name, "skipped", str(skipped))
    except CheckFailed as failed:
        return CheckResult(name, "failed", f"{package.dist.name} {failed}")


# -- the checks of the package -----------------------------------------------------------------


def version(package: _Package) -> str:
    """Its version is one that can be compared (PEP 440)."""
    text = package.dist.version
    try:
        number = Version(text)
    except InvalidVersion:
        fail(f"has the version {text!r}", "a version such as 0.1.0 (PEP 440)", "Set 'version'")
    if number == Version("0"):
        fail("has version 0", "a number above 0.0.0", "Set 'version' in its metadata")
    return text


def summary(package: _Package) -> str:
    """It says in one line what it is for."""
    return package.said("Summary") or fail(
        "has no summary", "one line that says what it is for", "Set 'description' in its metadata"
    )


def readme(package: _Package) -> str:
    """It carries its README."""
    text = package.said("Description")
    if not text:
        fail(
            "has no README",
            "what it does, how it is installed and named in a config",
            "Set 'long_description = file: README.md' in setup.cfg, or 'readme' in pyproject.toml",
        )
    return f"{len(text.splitlines())} lines"


def licence(package: _Package) -> str:
    """It says under which licence it may be used."""
    classifiers = package.dist.metadata.get_all("Classifier") or []
    named = [c for c in classifiers if c.startswith("License ::")]
    text = package.said("License-Expression") or package.said("License") or "".join(named[:1])
    return (
        text.splitlines()[0]
        if text
        else fail(
            "has no licence",
            "an SPDX name such as MIT: without one nobody may use it",
            "Set 'license'",
        )
    )


def requirements(package: _Package) -> str:
    """It asks for dlcreg and for a version of Python."""
    if package.dist.name == plugins.OWN:
        skip("dlcreg does not ask for itself")
    wanted = [Requirement(line) for line in package.dist.requires or []]
    own = [r for r in wanted if plugins.canonical(r.name) == plugins.OWN and r.marker is None]
    if not own:
        fail(
            "does not require dlcreg",
            "that pip installs dlcreg with it",
            "Add 'dlcreg>=...' to install_requires",
        )
    if not package.said("Requires-Python"):
        fail("asks for no version of Python", "one", "Set python_requires, such as >=3.10")
    return f"{own[0]}, Python {package.said('Requires-Python')}"


def plugin_api(package: _Package) -> str:
    """It declares the version of the contracts that it is written for, and this dlcreg has it."""
    entries = [e for e in package.dist.entry_points if e.group == "dlcreg.api"]
    ours = ".".join(map(str, PLUGIN_API))
    if not entries:
        fail(
            "does not say for which plug-in API it is written",
            "that a later dlcreg with other contracts can tell",
            f"Add the entry point dlcreg.api = {ours} = your_package",
        )
    for _, provider in package.providers[:1]:
        try:
            plugins.check_api(provider)
        except PluginError as error:
            raise CheckFailed(str(error)) from None
    return entries[0].name


def entry_points(package: _Package) -> str:
    """Every entry point is of a known group, can be imported and is a class of its kind."""
    groups = {r.group for r in REGISTRIES.values()} | {"dlcreg.api", CHECKS_GROUP}
    for entry in package.dist.entry_points:
        if entry.group.startswith("dlcreg.") and entry.group not in groups:
            close = difflib.get_close_matches(entry.group, groups, n=1)
            fail(
                f"has the entry point {entry.name} in {entry.group}, which dlcreg never reads",
                f"one of {', '.join(sorted(groups))}",
                f"Did you mean {close[0]}?" if close else "Name its kind in the plural",
            )
    if package.broken:
        raise CheckFailed("; ".join(package.broken.values()))
    return ", ".join(f"{r.name}/{p.name}" for r, p in package.providers) or "none"


def names(package: _Package) -> str:
    """Its names are taken by no built-in and by no other installed package."""
    for registry, provider in package.providers:
        others = [
            p
            for p in plugins.providers(registry.group)
            if p.name == provider.name and p.distribution != provider.distribution
        ]
        library = provider.name in registry.library_names()
        if others or library:
            owner = others[0].package if others else "a library"
            fail(
                f"has the {registry.kind} {provider.name}, whose name is that of a part of {owner}",
                f"a name of its own: a config has to say {provider.qualified!r} now",
                "Rename the class, or the entry point",
            )
    return "no other package has them"


def import_cost(package: _Package) -> str:
    """Its parts are imported in no time, for every config that names one waits for it."""
    seconds = package.import_seconds
    if seconds > MAX_IMPORT:
        fail(
            f"takes {seconds:.1f} s to import",
            f"at most {MAX_IMPORT:g} s",
            "Import heavy libraries in the functions that need them; "
            f"`{Path(sys.executable).name} -X importtime` shows which they are",
        )
    return f"{seconds:.2f} s"


CHECKS = (
    version,
    summary,
    readme,
    licence,
    requirements,
    plugin_api,
    entry_points,
    names,
    import_cost,
)
"""The checks of a package, in the order they run."""
