"""Labels to encode, and a project to train on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dlcreg.data.demo import generate
from dlcreg.structures import Instances

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def label():
    """Return ``label(keypoints, visibility, valid)`` of a batch ``(B, N, K, 2)``."""

    def make(keypoints, visibility=None, valid=None) -> Instances:
        keypoints = torch.as_tensor(keypoints, dtype=torch.float32)
        b, n, k, _ = keypoints.shape
        if visibility is None:
            visibility = torch.full((b, n, k), 2)
        return Instances(
            keypoints=keypoints,
            visibility=torch.as_tensor(visibility, dtype=torch.uint8),
            boxes=torch.zeros(b, n, 4),
            areas=torch.ones(b, n),
            valid=torch.ones(b, n, dtype=torch.bool) if valid is None else torch.as_tensor(valid),
            ids=torch.zeros(b, n, dtype=torch.int64),
        )

    return make


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    return generate(
        tmp_path_factory.mktemp("demo") / "project", frames=24, size=(96, 128), video=False
    )
