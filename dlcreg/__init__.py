"""dlcreg: animal pose estimation whose every part is a plug-in.

The public names are resolved when they are first used (PEP 562): ``import dlcreg`` imports
neither torch nor any plug-in.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "dlcreg.registry": (
        "BACKBONES",
        "CODECS",
        "CONDITION_ENCODERS",
        "DATASETS",
        "DETECTORS",
        "HEADS",
        "HOOKS",
        "LOSSES",
        "METRICS",
        "MODELS",
        "NECKS",
        "OPTIMIZERS",
        "READERS",
        "REGISTRIES",
        "SCHEDULERS",
        "TRACKERS",
        "TRANSFORMS",
        "WRITERS",
        "Registry",
    ),
    "dlcreg.errors": (
        "CheckpointError",
        "ConfigError",
        "DataError",
        "DlcregError",
        "PluginError",
        "ProjectError",
    ),
    "dlcreg.contracts": (
        "Backbone",
        "Codec",
        "ConditionEncoder",
        "Dataset",
        "Detector",
        "Head",
        "Loss",
        "Metric",
        "Neck",
        "Reader",
        "Tracker",
        "Transform",
        "Writer",
    ),
    "dlcreg.recording": ("Recording", "VideoInfo"),
    "dlcreg.structures": ("Batch", "Boxes", "DatasetInfo", "Instances", "Meta", "Poses", "Sample"),
    "dlcreg.config": ("load_config",),
    "dlcreg.builder": ("build", "build_dataset", "build_model", "build_solver"),
    "dlcreg.models.published": ("list_published", "load_published"),
    "dlcreg.inference": ("DynamicCrop", "Predictor"),
    "dlcreg.apis": ("analyze",),
    "dlcreg.data": ("CocoDataset", "PoseDataset", "Project", "Split", "collate"),
    "dlcreg.plugins": ("PLUGIN_API",),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("dlcreg.plugins").own_version()
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'dlcreg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
