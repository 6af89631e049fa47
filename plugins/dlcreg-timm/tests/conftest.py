"""A project to train on, and what every test has in common."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dlcreg.data.demo import generate

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("demo") / "project"
    return generate(root, frames=10, size=(64, 64), video=False)


@pytest.fixture
def timm_backbone():
    """Return ``make(name, **arguments)``: a `TimmBackbone` without weights, for shapes alone."""
    from dlcreg_timm.backbone import TimmBackbone

    def make(name, **arguments):
        with torch.device("meta"):
            return TimmBackbone(name, **arguments).eval()

    return make
