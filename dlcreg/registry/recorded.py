"""The parts that a checkpoint remembers, held against what is installed now."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from packaging.version import InvalidVersion, Version

from dlcreg import plugins
from dlcreg.errors import PluginError
from dlcreg.plugins.source import digest, source_file
from dlcreg.registry.part import Part, source_of
from dlcreg.registry.registry import REGISTRIES

logger = logging.getLogger("dlcreg")

Status = Literal["same", "other version", "other source", "not installed", "not found"]


@dataclass(frozen=True)
class Recorded:
    """A part as it was remembered.

    Args:
        part: what was remembered.
        status: ``same``, ``other version`` of its package, ``other source`` in the same version,
            ``not installed`` (its package) or ``not found`` (a class of no package, which nothing
            has registered here).
        installed: version of its package now; empty where there is none.
    """

    part: Part
    status: Status
    installed: str


def compare(parts: Iterable[Mapping[str, Any]]) -> list[Recorded]:
    """Return how the parts of a checkpoint stand to what is installed now; imports none of them.

    Args:
        parts: the ``provenance`` of a checkpoint.
    """
    known = [field.name for field in fields(Part)]
    return [_compare(Part(**{k: v for k, v in part.items() if k in known})) for part in parts]


def check_recorded(checkpoint: Mapping[str, Any], config: Any, what: str) -> None:
    """Refuse a checkpoint whose parts are missing here; warn once of all that have changed.

    Args:
        checkpoint: what it holds; its ``provenance`` and its ``dlcreg`` are read.
        config: what is to be built; only the parts that it names must be there.
        what: name of the checkpoint, for the message.

    Raises:
        PluginError: packages are not installed, or a class of no package is not registered.
    """
    rows = compare(checkpoint.get("provenance") or ())
    types = set(_types(config))
    needed = [row for row in rows if _is_named(row.part, types)]
    missing = [row.part for row in needed if row.status == "not installed"]
    homeless = [row.part for row in needed if row.status == "not found"]
    if missing or homeless:
        raise PluginError(_missing(what, missing, homeless))
    changes = _changes(rows, checkpoint.get("dlcreg"))
    if changes:
        logger.warning("%s was made with %s: results may differ", what, "; ".join(changes))


def _compare(part: Part) -> Recorded:
    if not part.distribution:
        return _compare_homeless(part)
    installed = plugins.installed_version(part.distribution)
    if installed is None:
        return Recorded(part, "not installed", "")
    if installed != part.version:
        return Recorded(part, "other version", installed)
    now = digest(source_file(part.target.partition(":")[0]))
    changed = bool(part.sha256) and now != part.sha256
    return Recorded(part, "other source" if changed else "same", installed)


def _compare_homeless(part: Part) -> Recorded:
    """Compare a class of the user's own script with the one that was registered here."""
    registry = REGISTRIES.get(part.registry)
    classes = registry.registered.get(part.name) if registry else None
    if classes:
        file = source_of(classes[-1])
    else:
        file = str(source_file(part.target.partition(":")[0]) or "")
    if not classes and not file:
        return Recorded(part, "not found", "")
    changed = bool(part.sha256) and digest(file) != part.sha256
    return Recorded(part, "other source" if changed else "same", "")


def _types(config: Any) -> Iterator[str]:
    """Yield every ``type`` that a config names."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            if key == "type" and isinstance(value, str):
                yield value.rpartition("/")[2]
            yield from _types(value)
    elif isinstance(config, (list, tuple)):
        for item in config:
            yield from _types(item)


def _is_named(part: Part, types: set[str]) -> bool:
    return part.name in types or part.target in types


def _missing(what: str, missing: list[Part], homeless: list[Part]) -> str:
    lines = [f"{what} cannot be used here, where these parts are missing:"]
    lines += [f"  {p.registry}/{p.name} of {p.distribution} {p.version}" for p in missing]
    lines += [f"  {p.registry}/{p.name}, which is {p.target} and in no package" for p in homeless]
    if missing:
        wanted = dict.fromkeys(f"{p.distribution}=={p.version}" for p in missing)
        lines.append(f"Install them with: pip install {' '.join(wanted)}")
    if homeless:
        lines.append("Import the module that registers it first, or make it a package.")
    return "\n".join(lines)


def _changes(rows: list[Recorded], own: Any) -> list[str]:
    """Say which packages have another version now, and whose sources differ in the same one."""
    made = {row.part.distribution: (row.part.version, row.installed) for row in rows}
    made.pop("", None)
    if isinstance(own, str):
        made[plugins.OWN] = (own, plugins.own_version())
    parts = plugins.plugin_packages()
    found = [
        f"{name} {then} (here {now})"
        for name, (then, now) in made.items()
        if now and (then != now if name in parts else _release(then) != _release(now))
    ]
    other = [row.part for row in rows if row.status == "other source"]
    if other:
        names = (f"{p.registry}/{p.name} of {_home(p)}" for p in other)
        found.append(f"another source of {', '.join(names)}")
    return found


def _home(part: Part) -> str:
    package = f"{part.distribution} {part.version}"
    return package if part.distribution else part.target.partition(":")[0]


def _release(version: str) -> tuple[int, ...] | str:
    """Return major and minor: smaller steps of dlcreg and of libraries change no results."""
    try:
        return Version(version).release[:2]
    except InvalidVersion:
        return version
