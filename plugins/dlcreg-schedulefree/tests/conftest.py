"""A project to train on, and a tiny run that takes a second."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dlcreg.builder import build
from dlcreg.data.demo import generate

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    return generate(
        tmp_path_factory.mktemp("demo") / "project", frames=10, size=(64, 64), video=False
    )


@pytest.fixture
def make_solver(project, tmp_path):
    """Return ``make(name, **solver)``: a small network with batch normalisation, 3 epochs."""

    def make(name="run", optimizer="AdamWScheduleFree", val=True, **solver):
        dataset = {"type": "PoseDataset", "project": {"root": str(project)}, "transform": []}
        model = {
            "backbone": {"type": "ResNet", "depth": 18, "out_indices": [0]},
            "head": {
                "type": "HeatmapHead",
                "codec": {"type": "GaussianHeatmap", "sigma": 1.0},
                "losses": {"heatmap": {"type": "MSELoss"}},
            },
        }
        data = {
            "train": {**dataset, "mode": "train"},
            "test": {**dataset, "mode": "test"},
            "batch_size": 2,
        }
        if val:
            data |= {"val": {**dataset, "mode": "val"}, "split": {"val_fraction": 0.2}}
        settings = {
            "optimizer": {"type": optimizer, "lr": 0.01},
            "max_epochs": 3,
            "metrics": [{"type": "PixelError"}],
            "tensorboard": False,
            "verbose": False,
            "max_keep": -1,
            **solver,
        }
        work_dir = str(tmp_path / name)
        return build(
            {"model": model, "data": data, "solver": settings, "work_dir": work_dir}
        ).solver

    return make
