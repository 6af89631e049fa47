"""Fixtures of the solver's tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from dlcreg.data.loader import EpochLoader
from dlcreg.solvers.metrics.pixel_error import PixelError
from dlcreg.solvers.solver import Solver

sys.path.insert(0, str(Path(__file__).parent))  # for toy_world

from toy_world import Dots, Net


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_solver(tmp_path):
    """Build a solver with little to do; ``val=False`` leaves the validation part out."""

    def make(work_dir="run", *, net=Net, val=True, count=10, batch_size=4, seed=42, **options):
        torch.manual_seed(0)
        model = net()
        train = EpochLoader(Dots(count), batch_size, seed=seed, shuffle=True)
        held_out = EpochLoader(Dots(5, seed=1, noise=0), batch_size) if val else None
        defaults = {
            "optimizer": {"type": "SGD", "lr": 0.02},
            "max_epochs": 3,
            "metrics": [PixelError()],
            "tensorboard": False,
            "verbose": False,
        }
        settings = {**defaults, **options}
        return Solver(model, train, held_out, work_dir=tmp_path / work_dir, seed=seed, **settings)

    return make
