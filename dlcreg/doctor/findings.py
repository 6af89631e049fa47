"""What is known to go wrong with an installation. Nothing here may need what it asks about."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import importlib_metadata
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from dlcreg import plugins
from dlcreg.errors import PluginError
from dlcreg.plugins import OWN

OPENCVS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
"""Packages that all write into one folder, ``cv2``."""

_SHARED = Path("/dev/shm")
_LEAST_SHARED = 512 * 2**20
"""Bytes that some batches of the workers of a loader need."""


@dataclass(frozen=True)
class Finding:
    """Something that a user should know of.

    Args:
        what: what was found.
        remedy: how to mend it; empty where there is nothing to mend.
        wrong: whether it breaks something; else it is worth knowing.
    """

    what: str
    remedy: str = ""
    wrong: bool = True


def opencv(versions: Mapping[str, str | None]) -> Iterator[Finding]:
    """Look for several OpenCVs in one folder, and for none.

    Args:
        versions: installed versions by package.
    """
    found = {name: version for name in OPENCVS if (version := versions.get(name))}
    newest = max(found.values(), key=Version, default="")
    repair = "pip install --force-reinstall --no-deps opencv-python-headless"
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{name} {version}" for name, version in found.items())
        pinned = " ".join(f"{name}=={newest}" for name in found)
        yield Finding(
            f"OpenCVs of different versions share one folder: {listed}",
            f"pip install --force-reinstall --no-deps {pinned}",
        )
    try:
        importlib.import_module("cv2")
    except Exception as error:
        yield Finding(f"cv2 cannot be imported: {type(error).__name__}: {error}", repair)


def requirements(distribution: str = OWN) -> Iterator[Finding]:
    """Hold what a package requires, and what albumentations pins, against what is installed."""
    try:
        lines = importlib_metadata.requires(distribution) or []
    except (importlib_metadata.PackageNotFoundError, OSError):
        yield Finding(f"{distribution} is not installed", f"pip install {distribution}")
        return
    for line in lines:
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        version = plugins.installed_version(wanted.name)
        pinned = f"{wanted.name}{wanted.specifier}"
        if version is None:
            if wanted.name not in OPENCVS:  # one of them serves for all
                yield Finding(
                    f"{distribution} requires {pinned}, which is not installed",
                    f"pip install '{pinned}'",
                )
        elif not wanted.specifier.contains(version, prereleases=True):
            yield Finding(
                f"{distribution} requires {pinned}, but {version} is installed",
                f"pip install '{pinned}'",
            )


def packages() -> Iterator[Finding]:
    """Import every part of every plug-in package."""
    from dlcreg.registry import REGISTRIES  # they need mmengine, which may be what is broken
    from dlcreg.registry.listing import listing, tried

    for registry in REGISTRIES.values():
        for row in listing(registry):
            if row.distribution not in plugins.plugin_packages():
                continue
            row, error = tried(registry, row)
            if error:
                yield Finding(error, f"dlcreg info {row.kind}/{row.distribution}/{row.name}")
            elif row.status == "clash":
                yield Finding(
                    f"several packages provide {row.kind}/{row.name}",
                    f"write type='{row.distribution}/{row.name}' in the config",
                    wrong=False,
                )
            elif row.status.startswith("needs API"):
                try:
                    registry.get(f"{row.distribution}/{row.name}")
                except PluginError as error:
                    yield Finding(str(error))


def disabled() -> Iterator[Finding]:
    """Tell which packages are switched off, and which of them are not there at all."""
    installed = {plugins.canonical(name) for name in plugins.plugin_packages()}
    for name in sorted(plugins.disabled_packages()):
        there = name in installed
        yield Finding(
            f"DLCREG_DISABLE switches {name} off" + ("" if there else ", which is not installed"),
            "unset DLCREG_DISABLE",
            wrong=False,
        )


def weights_folder(folder: Path) -> Iterator[Finding]:
    """Look whether pretrained weights can be kept.

    Args:
        folder: where torch keeps what it downloads.
    """
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        yield Finding(
            f"{folder} cannot be written: pretrained weights cannot be kept",
            "set TORCH_HOME to a folder of your own",
        )


def shared_memory(folder: Path = _SHARED) -> Iterator[Finding]:
    """Look whether the workers of a loader have room to hand batches over."""
    if not folder.is_dir():
        return
    total = shutil.disk_usage(folder).total
    if total < _LEAST_SHARED:
        yield Finding(
            f"shared memory has {total / 2**20:.0f} MiB in all: loader workers will end in a bus "
            "error",
            "start the container with --shm-size=2g, or set data.num_workers=0",
        )
