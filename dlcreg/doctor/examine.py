"""The examination of an installation."""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcreg import plugins
from dlcreg.doctor import findings
from dlcreg.doctor.findings import Finding

_PACKAGES = (
    plugins.OWN,
    "torch",
    "torchvision",
    "mmengine",
    "albumentations",
    "albucore",
    *findings.OPENCVS,
    "numpy",
    "pandas",
    "tables",
    "av",
    "safetensors",
    "setuptools",
)
_CODECS = ("h264", "hevc", "mpeg4", "mjpeg", "vp9", "av1", "prores", "ffv1")
"""Codecs that laboratories' videos have."""


@dataclass(frozen=True)
class Report:
    """What an examination found.

    Args:
        versions: of Python and packages; None for one that is not installed.
        devices: what can be computed on, in words.
        codecs: video codecs by whether they can be read.
        plugins: by package: version and how many parts have which status.
        findings: what is wrong, and what is worth knowing.
    """

    versions: dict[str, str | None]
    devices: list[str]
    codecs: dict[str, bool]
    plugins: dict[str, dict[str, Any]]
    findings: list[Finding]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.wrong for finding in self.findings)


def examine() -> Report:
    """Look at versions, devices, video codecs and plug-ins, and for known conflicts.

    Whatever breaks on the way is a finding of its own: nothing is raised.
    """
    found: list[Finding] = []
    versions: dict[str, str | None] = {"python": platform.python_version()}
    versions |= {name: plugins.installed_version(name) for name in _PACKAGES}
    devices = _safely(_devices, found) or [_processor()]
    codecs = _safely(_codecs, found) or {}
    for look in (
        lambda: findings.opencv(versions),
        lambda: findings.requirements(),
        lambda: findings.requirements("albumentations"),
        findings.packages,
        findings.disabled,
        lambda: findings.weights_folder(_weights_folder()),
        findings.shared_memory,
    ):
        found += _safely(lambda look=look: list(look()), found) or []  # type: ignore[misc]
    return Report(versions, devices, codecs, _plugins(), found)


def _safely(look: Callable[[], Any], found: list[Finding]) -> Any:
    try:
        return look()
    except Exception as error:
        found.append(Finding(f"{type(error).__name__}: {error}", "reinstall the package it names"))
        return None


def _devices() -> list[str]:
    import torch

    devices = [_processor()]
    for index in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(index).total_memory / 2**30
        devices.append(f"cuda:{index}: {torch.cuda.get_device_name(index)}, {memory:.0f} GiB")
    if torch.backends.mps.is_available():
        devices.append("mps: Apple GPU")
    return devices


def _processor() -> str:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return f"cpu: {cores} cores, {platform.machine()}"


def _codecs() -> dict[str, bool]:
    import av

    return {name: name in av.codecs_available for name in _CODECS}


def _weights_folder() -> Path:
    import torch

    return Path(torch.hub.get_dir()).expanduser().absolute()


def _plugins() -> dict[str, dict[str, Any]]:
    return {
        name: {
            "version": members[0].version,
            "parts": dict(sorted(Counter(p.group.partition(".")[2] for p in members).items())),
            "disabled": members[0].disabled,
        }
        for name, members in sorted(plugins.plugin_packages().items())
    }
