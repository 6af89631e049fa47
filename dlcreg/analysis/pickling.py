"""Pickles as DeepLabCut's tools read them: plain containers and numpy arrays."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.files import written_whole
from dlcreg.recording import Recording


def write_pickle(path: Path, content: Any) -> None:
    """Write a pickle that every supported Python reads, whole or not at all.

    Raises:
        DlcregError: it cannot be written.
    """
    with written_whole(path) as temporary, temporary.open("wb") as file:
        pickle.dump(content, file, protocol=4)


def animals_of(recording: Recording, frame: int) -> np.ndarray:
    """Return x, y, likelihood and individual of each animal of a frame, float32 ``(n, K, 4)``.

    Keypoints that were not found have NaN for x and y; the individual is the one that the keypoint
    most probably belongs to, else that of the animal, else -1.
    """
    rows = np.flatnonzero(rows_of(recording, frame))
    poses = np.full((len(rows), recording.keypoints.shape[2], 4), -1, np.float32)
    poses[..., :2] = recording.keypoints[frame, rows]
    poses[..., 2] = recording.scores[frame, rows]
    if recording.identity_scores is not None:
        poses[..., 3] = recording.identity_scores[frame, rows].argmax(axis=-1)
    elif recording.identities is not None:
        poses[..., 3] = recording.identities[frame, rows, None]
    return poses


def rows_of(recording: Recording, frame: int) -> np.ndarray:
    """Return which rows of a frame hold an animal, bool ``(N,)``, see `Recording.valid`."""
    return np.asarray(np.isfinite(recording.keypoints[frame]).all(axis=-1).any(axis=-1))
