"""Imported models against DeepLabCut itself; DLCREG_DEEPLABCUT_PYTHON names a Python with it."""

from __future__ import annotations

import json
import os
import shutil
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
BACKBONES = (
    "resnet_50", "resnet_101", "hrnet_w18", "hrnet_w32", "hrnet_w48", "cspnext_s", "cspnext_m",
    "cspnext_x",
)  # fmt: skip
WHOLE = ("dlcrnet_stride16_ms5", "dlcrnet_stride32_ms5", "dekr_w18", "dekr_w32", "dekr_w48")
CROPPED = ("rtmpose_s", "rtmpose_m", "rtmpose_x", "animaltokenpose_base")
CONDITIONED = (
    "ctd_coam_w32", "ctd_coam_w48", "ctd_coam_w48_human", "ctd_prenet_hrnet_w32",
    "ctd_prenet_hrnet_w48", "ctd_prenet_rtmpose_s", "ctd_prenet_rtmpose_m",
    "ctd_prenet_rtmpose_x", "ctd_prenet_rtmpose_x_human",
)  # fmt: skip
DETECTORS = ("ssdlite", "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_resnet50_fpn_v2")
BOXES = [[[20.3, 30.2, 80.1, 60.7], [100.0, 20.0, 50.0, 120.0]]] * 2
SEVERAL = {"multi": True}
CROPS = {**SEVERAL, "top_down": True, "boxes": BOXES}
SMALLER = {"data.inference.resize": {"width": 150, "height": 150, "keep_ratio": True}}
LONGEST = {"data.inference.longest_max_size": 130}
WHO = {**SEVERAL, "identity": True, "unique": ["corner", "lamp"]}


def _crops(net):
    """Return the crops of a network, which DeepLabCut's config has of 256 pixels for all."""
    size = {"width": 384, "height": 384} if net.endswith("_x") else {"width": 288, "height": 384}
    if not net.endswith(("mpose_x", "_human")):
        return {}
    context = {"crop_with_context": net == "rtmpose_x" or net.endswith("_human")}
    changes = {f"data.{part}.top_down_crop": {**size, **context} for part in ("train", "inference")}
    return {"changes": changes, **({"parts": 14} if net.endswith("_human") else {})}


JOBS = {
    **{f"{net} of one": {"net_type": net} for net in BACKBONES},
    **{f"{net} of several": {"net_type": net, **SEVERAL} for net in (*BACKBONES, *WHOLE)},
    **{f"top_down_{net}": {"net_type": net, **CROPS} for net in BACKBONES},
    **{net: {"net_type": net, **CROPS, **_crops(net)} for net in CROPPED},
    **{net: {"net_type": net, **SEVERAL, **_crops(net)} for net in CONDITIONED},
    **{name: {"net_type": "hrnet_w18", **CROPS, "detector": name} for name in DETECTORS},
    "resized": {"net_type": "resnet_50", "changes": SMALLER},
    "longest": {"net_type": "resnet_50", "changes": LONGEST},
    "who is who": {"net_type": "resnet_50", **WHO},
    "who is who, learnt": {"net_type": "resnet_50", **WHO, "steps": 60},
    "centres, learnt": {"net_type": "dekr_w18", **SEVERAL, "steps": 20},
    "one, learnt": {"net_type": "cspnext_s", "steps": 60},
    "exported": {"net_type": "resnet_50", "export": True},
    "exported with a detector": {
        "net_type": "cspnext_s", **CROPS, "detector": "ssdlite", "export": True
    },
    **{
        f"superanimal {net}": {"superanimal": net, **CROPS, "detector": detector, "parts": 39}
        for net, detector in zip(("hrnet_w32", "resnet_50", "rtmpose_s"), DETECTORS)
    },
}  # fmt: skip


class DeepLabCut:
    """A process that has it, which is asked by a line and answers by one."""

    def __init__(self, images, folder):
        files = [str(folder / "images.npz"), str(folder)]
        np.savez(files[0], **{f"image{i}": image for i, image in enumerate(images)})
        self.log = (folder / "log.txt").open("w")
        self.process = subprocess.Popen(
            [str(PYTHON), str(SCRIPT), *files], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
        )  # fmt: skip

    def ask(self, job):
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("@@"):
                said = json.loads(line[2:])
                assert "failed" not in said, said["failed"]
                return said
        raise AssertionError(f"DeepLabCut ended: {Path(self.log.name).read_text()[-2000:]}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


@pytest.fixture(scope="module")
def images():
    draw = np.random.default_rng(0)
    small = draw.integers(0, 255, (24, 32, 3), np.uint8)
    return [np.kron(small, np.ones((8, 8, 1), np.uint8)), small.repeat(7, 0).repeat(7, 1)[:157]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("deeplabcut")


@pytest.fixture(scope="module")
def deeplabcut(images, folder):
    process = DeepLabCut(images, folder)
    yield process
    process.close()


def test_every_network_and_detector_is_compared(deeplabcut):
    known = deeplabcut.ask({"ask": "names"})
    ours = {*BACKBONES, *(f"top_down_{net}" for net in BACKBONES), *WHOLE, *CROPPED, *CONDITIONED}
    assert set(known["net_types"]) == ours
    assert set(known["detectors"]) == set(DETECTORS)


@pytest.mark.parametrize("name", JOBS)
def test_an_imported_model_predicts_what_deeplabcut_predicts(
    deeplabcut, folder, images, tmp_path, name, record_property
):
    made = deeplabcut.ask({"name": name, **JOBS[name]})["made"]
    known = dict(np.load(folder / name / "predictions.npz"))
    done = import_deeplabcut(made, tmp_path / "model.pth")
    shutil.rmtree(folder / name)
    predictor = Predictor(
        done.checkpoint, _proposals(known, done.detector), device="cpu", batch_size=1
    )
    apart, seen = np.zeros(2), 0  # pixels, likelihood
    for index, (_, poses) in enumerate(predictor.stream(images)):
        found = np.concatenate([poses.keypoints[0], poses.scores[0, ..., None]], axis=-1)
        rows = list(np.flatnonzero(poses.valid[0].numpy()))
        expected = known["bodyparts"][index][..., :3]
        wanted = [row for row, pose in enumerate(expected) if not (pose[:, 0] == -1).all()]
        assert len(rows) == len(wanted)
        seen += len(rows)
        for row in wanted:  # rows of several animals may stand in another order
            ways = [_apart(found[ours], expected[row]) for ours in rows]
            best = int(np.argmin([way.sum() for way in ways]))
            ours = rows.pop(best)
            apart = np.maximum(apart, ways[best])
            if "identity_scores" in known:
                scores = poses.identity_scores[0, ours].numpy()
                away = np.abs(scores - known["identity_scores"][index, row])
                apart[1] = max(apart[1], away[~np.isnan(found[ours, :, 0])].max())
        if "unique_bodyparts" in known:
            lone = poses.unique
            found = np.concatenate([lone.keypoints[0], lone.scores[0, ..., None]], axis=-1)
            apart = np.maximum(apart, _apart(found[0], known["unique_bodyparts"][index, 0]))
    record_property("pixels, likelihood", [float(value) for value in apart])
    assert seen > 0
    assert apart[0] < PIXELS
    assert apart[1] < LIKELIHOOD


def _apart(ours, theirs):
    """Return the largest differences in pixels and in likelihood of two poses ``(K, 3)``."""
    missing = (theirs[:, :2] == -1).all(axis=1) | np.isnan(theirs[:, 0])
    if (np.isnan(ours[:, 0]) != missing).any():
        return np.full(2, np.inf)
    away = np.abs(ours - theirs)[~missing]
    return np.array([away[:, :2].max(initial=0), away[:, 2].max(initial=0)])


def _proposals(known, detector):
    """Return what an imported model looks at: the boxes or conditions that DeepLabCut's saw."""
    if "conditions" in known:
        return lambda image, meta: _condition(known["conditions"][meta.index])
    if detector is not None:
        return Predictor(detector, device="cpu", batch_size=1)
    if "boxes" in known:
        return lambda image, meta: known["boxes"][meta.index]
    return None


def _condition(poses):
    boxes = tight_boxes(poses[..., :2], poses[..., 2] > 0).astype(np.float32)
    count = len(poses)
    return ImageProposals(boxes, np.ones(count, np.float32), poses, np.ones(count, bool))
