"""From a trained model and images to poses."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "DynamicCrop": "dynamic_crop",
    "Predictor": "predictor",
    "Trained": "checkpoint",
    "load_trained": "checkpoint",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"dlcreg.inference.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'dlcreg.inference' has no attribute {name!r}")
