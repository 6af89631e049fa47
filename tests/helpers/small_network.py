"""A network that trains in a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def small_config(root: Path, transform: Sequence[dict] = (), view: str = "image") -> dict[str, Any]:
    """Return the config of a small network that trains an epoch in a second."""
    part = {"type": "PoseDataset", "project": {"root": str(root)}, "transform": list(transform)}
    part["view"] = view
    return {
        "model": {
            "backbone": {"type": "ResNet", "depth": 18, "out_indices": [0]},
            "head": {
                "type": "HeatmapHead",
                "codec": {"type": "GaussianHeatmap"},
                "losses": {"heatmap": {"type": "MSELoss"}},
            },
        },
        "data": {
            "train": {**part, "mode": "train"},
            "test": {**part, "mode": "test"},
            "split": {"train_fraction": 0.5},
            "batch_size": 4,
        },
        "solver": {
            "optimizer": {"type": "SGD", "lr": 0.01},
            "max_epochs": 1,
            "metrics": [{"type": "PixelError"}],
            "tensorboard": False,
            "verbose": False,
        },
        "evaluation": {"pictures": 0},
    }
