"""Recordings to write, generated."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from dlcreg.recording import Recording, VideoInfo
from dlcreg.structures import DatasetInfo


def recording(frames=7, rows=2, parts=3, unique=2, seed=0, **changes) -> Recording:
    """Return a recording with animals, keypoints and a frame missing."""
    rng = np.random.default_rng(seed)
    names = tuple(f"part {i}" for i in range(parts))
    keypoints = rng.uniform(-3, 700, (frames, rows, parts, 2)).astype(np.float32)
    scores = rng.uniform(0, 1, (frames, rows, parts)).astype(np.float32)
    instance_scores = rng.uniform(0, 1, (frames, rows)).astype(np.float32)
    lost = rng.random((frames, rows, parts)) < 0.2
    keypoints[lost], scores[lost] = np.nan, 0
    readable = np.ones(frames, bool)
    absent = rng.random((frames, rows)) < 0.2
    if frames > 3:
        absent[3], readable[3] = True, False
    absent |= ~np.isfinite(keypoints).all(axis=-1).any(axis=-1)
    keypoints[absent], scores[absent], instance_scores[absent] = np.nan, 0, 0
    boxes = rng.uniform(0, 300, (frames, rows, 4)).astype(np.float32)
    boxes[absent] = np.nan
    identity_scores = rng.uniform(0, 1, (frames, rows, parts, 2)).astype(np.float32)
    identity_scores[scores == 0] = 0
    arena = None
    if unique:
        arena = rng.uniform(0, 1, (frames, unique, 3)).astype(np.float32)
        arena[~readable] = np.nan, np.nan, 0
    individuals = ("anna", "bob")[:rows] if rows > 1 else ("individual_1",)
    info = DatasetInfo(
        names,
        skeleton=tuple((i, i + 1) for i in range(parts - 1)),
        num_individuals=rows,
        sigmas=(0.1,) * parts,
        individuals=individuals,
        unique=DatasetInfo(tuple(f"corner{i}" for i in range(unique))) if unique else None,
    )
    values = Recording(
        keypoints=keypoints,
        scores=scores,
        instance_scores=instance_scores,
        info=info,
        individuals=individuals,
        identities=np.where(absent, -1, rng.integers(0, 2, (frames, rows))),
        identity_scores=identity_scores,
        boxes=boxes,
        unique=arena,
        readable=readable,
        times=np.arange(frames) / 30,
        video=VideoInfo(Path("videos/clip.mp4"), (480, 640), 30.0, frames),
        scorer="DLC_Resnet50_mazeNov26shuffle1_snapshot_best-100",
        provenance={"checkpoint": "best.pth", "config": "model = dict()\n", "parts": [{"a": 1}]},
    )
    return replace(values, **changes)


def single(**changes) -> Recording:
    """Return a recording of one animal without a name, as most projects have them."""
    return recording(rows=1, unique=0, identities=None, identity_scores=None, **changes)


def plain(values: Recording) -> Recording:
    """Return a recording with what every table holds and no more."""
    nothing = dict.fromkeys(
        ("identities", "identity_scores", "boxes", "readable", "times", "video"), None
    )
    return replace(values, **nothing)


def assert_same(found: Recording, wanted: Recording, *but: str) -> None:
    """Hold two recordings against each other, all fields but some; floats to the last bit."""
    for field in fields(Recording):
        if field.name in but:
            continue
        one, two = getattr(found, field.name), getattr(wanted, field.name)
        if isinstance(two, np.ndarray):
            assert one.dtype == two.dtype, field.name
            np.testing.assert_array_equal(one, two, err_msg=field.name)
        else:
            assert one == two, field.name
