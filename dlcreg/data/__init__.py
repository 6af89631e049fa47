"""Projects, data sets, transforms and loaders."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "CocoDataset": "dataset",
    "DataModule": "module",
    "EpochLoader": "loader",
    "PoseDataset": "dataset",
    "Project": "project",
    "Proposals": "proposals",
    "Split": "split",
    "collate": "batching",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"dlcreg.data.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'dlcreg.data' has no attribute {name!r}")
