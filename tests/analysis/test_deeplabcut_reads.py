"""DeepLabCut's own tools read our files, where DLCREG_DEEPLABCUT_PYTHON names their Python."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import recording

from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.paths import result_path

PYTHON = os.environ.get("DLCREG_DEEPLABCUT_PYTHON", "")


@pytest.mark.skipif(not PYTHON, reason="DLCREG_DEEPLABCUT_PYTHON names no Python with DeepLabCut")
def test_deeplabcut_loads_tracks_stitches_and_finds_outliers(tmp_path):
    values = _walk()
    for name in ("h5", "csv"):
        writer = build_writer(name)
        path = result_path(tmp_path, "clip", values.scorer, writer.suffix, "ellipse")
        writer.write(replace(values, tracked=True), path)
    for name in ("h5", "csv", "meta", "full", "assemblies"):
        writer = build_writer(name)
        writer.write(values, result_path(tmp_path, "clip", values.scorer, writer.suffix))
    script = Path(__file__).with_name("deeplabcut_reads.py")
    run = subprocess.run(
        [PYTHON, str(script), str(tmp_path), values.scorer], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    frames, parts, unique = len(values), 6, 2
    columns = 3 * (2 * parts + unique)
    missing = 3 * parts * int((~values.valid).sum()) + 3 * unique
    there = values.valid
    total = values.keypoints[there].sum(dtype=float) + values.scores[there].sum(dtype=float)
    total += values.unique[values.readable].sum(dtype=float)
    for table in (told["untracked"], told["tracked"]):
        assert table["levels"] == ["scorer", "individuals", "bodyparts", "coords"]
        assert table["shape"] == [frames, columns]
        assert table["missing"] == missing
        assert table["sum"] == pytest.approx(total)
    assert told["stitched"] == [[frames, columns], ["anna", "bob", "single"]]
    assert told["tracks"] == there.sum(axis=0).tolist()
    assert told["outlying"] == 0  # all animals are of one size
    assert told["uncertain"] == [8, 20]  # in the lost frame there are no unique parts


def _walk():
    """Return two animals that walk slowly; one frame is lost, one point of one is uncertain."""
    frames, parts = 30, 6
    values = recording(frames, parts=parts, identity_scores=None, identities=None)
    body = 20 * np.array([[0, 0], [2, 0], [2, 1], [0, 1], [1, 0.2], [1, 0.9]], np.float32)
    step = np.arange(frames, dtype=np.float32)[:, None, None, None]
    places = np.array([[50, 60], [300, 200]], np.float32)[:, None]
    values.keypoints = body + places + step
    values.scores = np.full((frames, 2, parts), 0.9, np.float32)
    values.instance_scores = values.scores.mean(-1)
    values.scores[8, 0, 2] = 0.2
    values.readable = np.arange(frames) != 20
    values.keypoints[20], values.scores[20], values.instance_scores[20] = np.nan, 0, 0
    values.unique = np.full((frames, 2, 3), 0.75, np.float32)
    values.unique[20] = np.nan, np.nan, 0
    return values
