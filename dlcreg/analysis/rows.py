"""Poses of single frames to chunks of arrays, and these to a recording."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo, Poses

_LATER = ("boxes", "identities", "identity_scores")  # fields that not all models give


@dataclass
class Rows:
    """Frames that wait to be written.

    Args:
        info: what the model finds.
        offset: pixels to the right and down from the frame's corner to what the model saw.
    """

    info: DatasetInfo
    offset: tuple[int, int] = (0, 0)
    _poses: list[Poses] = field(default_factory=list)
    _times: list[float] = field(default_factory=list)
    _errors: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._times)

    def add(self, poses: Poses, time: float, error: str = "") -> None:
        """Add a frame: its poses, B = 1, and why it could not be read, where it could not."""
        self._poses.append(poses)
        self._times.append(time)
        self._errors.append(error)

    def take(self) -> dict[str, np.ndarray]:
        """Return the frames as arrays, and forget them.

        Rows of all animals lie one after another; ``counts`` says how many each frame has.
        """
        found, shift = self._poses, np.array(self.offset, np.float32)
        keep = [poses.valid[0].numpy() for poses in found]
        count = self.info.num_keypoints
        keypoints = _stacked([p.keypoints for p in found], keep, (0, count, 2), np.float32)
        arrays = {
            "times": np.array(self._times, np.float64),
            "readable": np.array([not error for error in self._errors], bool),
            "errors": np.frombuffer(json.dumps(self._errors).encode(), np.uint8),
            "counts": np.array([rows.sum() for rows in keep], np.int32),
            "keypoints": keypoints + shift,
            "scores": _stacked([p.scores for p in found], keep, (0, count), np.float32),
            "instance_scores": _stacked([p.instance_scores for p in found], keep, (0,), np.float32),
        }
        for name in _LATER:
            values = [getattr(poses, name) for poses in found]
            given = [v is not None and bool(k.any()) for v, k in zip(values, keep, strict=True)]
            # a frame without animals has nothing to say, whatever the model can
            if any(given) and all(g or not k.any() for g, k in zip(given, keep, strict=True)):
                chosen = [(v, k) for v, k, g in zip(values, keep, given, strict=True) if g]
                arrays[name] = _stacked([v for v, _ in chosen], [k for _, k in chosen], (0,), None)
        if "boxes" in arrays:
            arrays["boxes"] = arrays["boxes"] + np.concatenate([shift, np.zeros(2, np.float32)])
        if self.info.unique is not None:
            arrays["unique"] = np.stack([_unique(poses, self.info.unique) for poses in found])
            arrays["unique"][..., :2] += shift
        self._poses, self._times, self._errors = [], [], []
        return arrays


def _stacked(values: Sequence[Any], keep: Sequence[np.ndarray], empty: Any, dtype: Any) -> Any:
    rows = [value[0].numpy()[kept] for value, kept in zip(values, keep, strict=True)]
    joined = np.concatenate(rows) if rows else np.zeros(empty)
    return joined if dtype is None else joined.astype(dtype)


def _unique(poses: Poses, info: DatasetInfo) -> np.ndarray:
    """Return the unique body parts of a frame, ``(U, 3)``."""
    found = np.full((info.num_keypoints, 3), np.nan, np.float32)
    found[:, 2] = 0
    unique = poses.unique
    if unique is not None and bool(unique.valid.any()):
        best = int(unique.instance_scores[0].argmax())
        found[:, :2] = unique.keypoints[0, best].numpy()
        found[:, 2] = unique.scores[0, best].numpy()
    return found


def errors_of(chunk: dict[str, np.ndarray]) -> list[str]:
    """Return of each frame of a chunk why it could not be read; empty for those that could."""
    return list(json.loads(chunk["errors"].tobytes()))


def recording_of(
    chunks: Iterable[dict[str, np.ndarray]],
    frames: int,
    info: DatasetInfo,
    first: int = 0,
    **more: Any,
) -> Recording:
    """Return the recording that chunks make, of which one at a time is in memory.

    Args:
        chunks: see `Rows.take`; to be drawn from twice, so no iterator.
        frames: how many there are in all of them.
        info: what the model finds.
        first: number of the first of them in the video; the rows of those before it are empty, and
            the frames not readable.
        **more: further arguments of `Recording`.
    """
    frames += first
    rows, names, shape = max(1, info.num_individuals), set[str](), None
    for chunk in chunks:
        rows = max(rows, int(chunk["counts"].max(initial=0)))
        names |= {name for name in _LATER if name in chunk}
        shape = chunk["identity_scores"].shape[-1] if "identity_scores" in chunk else shape
    count = info.num_keypoints
    arrays: dict[str, np.ndarray] = {
        "keypoints": np.full((frames, rows, count, 2), np.nan, np.float32),
        "scores": np.zeros((frames, rows, count), np.float32),
        "instance_scores": np.zeros((frames, rows), np.float32),
    }
    if "boxes" in names:
        arrays["boxes"] = np.full((frames, rows, 4), np.nan, np.float32)
    if "identities" in names:
        arrays["identities"] = np.full((frames, rows), -1, np.int64)
    if "identity_scores" in names:
        arrays["identity_scores"] = np.zeros((frames, rows, count, shape or 0), np.float32)
    flat: dict[str, np.ndarray] = {
        "times": np.zeros(frames, np.float64), "readable": np.zeros(frames, bool)
    }  # fmt: skip
    if info.unique is not None:
        flat["unique"] = np.full((frames, info.unique.num_keypoints, 3), np.nan, np.float32)
    start = first
    for chunk in chunks:
        counts = chunk["counts"]
        stop = start + len(counts)
        where = np.repeat(np.arange(start, stop), counts)
        row = np.arange(len(where)) - np.repeat(np.cumsum(counts) - counts, counts)
        for name, array in arrays.items():
            if name in chunk:
                array[where, row] = chunk[name]
        for name, array in flat.items():
            array[start:stop] = chunk[name]
        start = stop
    if first < frames:  # nobody looked at the times before
        flat["times"][:first] = np.linspace(0, flat["times"][first], first, endpoint=False)
    missing = ~np.isfinite(arrays["keypoints"]).all(axis=-1)
    arrays["scores"][missing] = 0
    return Recording(info=info, **arrays, **flat, **more)  # type: ignore[arg-type]
