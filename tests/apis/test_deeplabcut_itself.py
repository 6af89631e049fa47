"""Imported models against DeepLabCut itself; DLCREG_DEEPLABCUT_PYTHON names a Python with it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dlcreg.apis.deeplabcut import import_deeplabcut
from dlcreg.data.keypoints import tight_boxes
from dlcreg.data.proposals import ImageProposals
from dlcreg.inference import Predictor

PYTHON = os.environ.get("DLCREG_DEEPLABCUT_PYTHON")
pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not PYTHON, reason="DLCREG_DEEPLABCUT_PYTHON names no Python"),
]

PIXELS, LIKELIHOOD = 0.01, 1e-4
SCRIPT = Path(__file__).parents[1] / "helpers" / "deeplabcut_side.py"
PADDED = {"data.inference.auto_padding.position": "top_left"}  # at random by default
BOXES = [[[20.3, 30.2, 80.1, 60.7], [100.0, 20.0, 50.0, 120.0]]] * 2
SEVERAL = {"multi": True}
CROPS = {**SEVERAL, "top_down": True, "boxes": BOXES}
SMALLER = {"data.inference.resize": {"width": 150, "height": 150, "keep_ratio": True}}
JOBS = [
    {"name": "resnet_50", "net_type": "resnet_50"},
    {"name": "resized", "net_type": "resnet_50", "changes": SMALLER},
    {"name": "hrnet_w18", "net_type": "hrnet_w18", "changes": PADDED},
    {"name": "cspnext_s", "net_type": "cspnext_s"},
    {"name": "several", "net_type": "resnet_50", **SEVERAL},
    {"name": "dlcrnet", "net_type": "dlcrnet_stride16_ms5", **SEVERAL},
    {"name": "dekr", "net_type": "dekr_w18", "changes": PADDED, **SEVERAL},
    {"name": "td_resnet", "net_type": "resnet_50", **CROPS},
    {"name": "td_ssdlite", "net_type": "hrnet_w18", **CROPS, "detector": "ssdlite"},
    {"name": "tokens", "net_type": "animaltokenpose_base", **CROPS},
    {"name": "prenet", "net_type": "ctd_prenet_hrnet_w32", **SEVERAL},
    {"name": "coam", "net_type": "ctd_coam_w32", **SEVERAL},
]


@pytest.fixture(scope="module")
def images():
    draw = np.random.default_rng(0)
    small = draw.integers(0, 255, (24, 32, 3), np.uint8)
    return [np.kron(small, np.ones((8, 8, 1), np.uint8)), small.repeat(7, 0).repeat(7, 1)[:157]]


@pytest.fixture(scope="module")
def theirs(images, tmp_path_factory):
    """The folder of what DeepLabCut writes and predicts, a folder for each job."""
    folder = tmp_path_factory.mktemp("deeplabcut")
    (folder / "jobs.json").write_text(json.dumps(JOBS))
    np.savez(folder / "images.npz", a=images[0], b=images[1])
    files = [folder / "jobs.json", folder / "images.npz", folder / "out"]
    subprocess.run([str(PYTHON), str(SCRIPT), *map(str, files)], check=True)
    return folder / "out"


@pytest.mark.parametrize("name", [job["name"] for job in JOBS])
def test_an_imported_model_predicts_what_deeplabcut_predicts(theirs, images, tmp_path, name):
    known = np.load(theirs / name / "predictions.npz")
    done = import_deeplabcut(theirs / name, tmp_path / "model.pth")
    proposals = None
    if "conditions" in known:
        proposals = _conditions(known["conditions"])
    elif done.detector is not None:
        proposals = Predictor(done.detector, device="cpu", batch_size=1)
    elif "boxes" in known:

        def proposals(image, meta):
            return known["boxes"][meta.index]

    predictor = Predictor(done.checkpoint, proposals, device="cpu", batch_size=1)
    for (_, poses), expected in zip(predictor.stream(images), known["bodyparts"], strict=True):
        found = np.concatenate([poses.keypoints[0], poses.scores[0, ..., None]], axis=-1)
        found = list(found[poses.valid[0].numpy()])
        wanted = [pose[:, :3] for pose in expected if not (pose[:, 0] == -1).all()]
        assert len(found) == len(wanted)
        for pose in wanted:  # rows of several animals may stand in another order
            apart = [np.nan_to_num(np.abs(one - pose)).max(axis=0) for one in found]
            best = min(apart, key=lambda way: way[0] + way[1])
            assert best[:2].max() < PIXELS
            assert best[2] < LIKELIHOOD


def _conditions(poses):
    def known(image, meta):
        found = poses[meta.index]
        boxes = tight_boxes(found[..., :2], found[..., 2] > 0).astype(np.float32)
        count = len(found)
        return ImageProposals(boxes, np.ones(count, np.float32), found, np.ones(count, bool))

    return known
