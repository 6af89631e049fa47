"""Short gaps in tracks filled by straight lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlcreg.recording import Recording


def interpolated(recording: Recording, longest: int) -> Recording:
    """Return a tracked recording whose keypoints have no gaps of up to `longest` frames.

    A keypoint that was found before and after a gap moves on a straight line in between, with the
    likelihood 0 that tells it from one that was found. A gap in which a frame could not be read is
    left as it is.

    Args:
        recording: rows are animals.
        longest: frames; 0 leaves everything as it is.
    """
    if not longest or not len(recording):
        return recording
    points = recording.keypoints.reshape(len(recording), -1, 2).copy()
    found = np.isfinite(points).all(axis=-1)  # (F, N K)
    frames = np.arange(len(points))[:, None]
    before = np.maximum.accumulate(np.where(found, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(found, frames, len(points))[::-1], axis=0)[::-1]
    short = ~found & (before >= 0) & (after < len(points)) & (after - before - 1 <= longest)
    if recording.readable is not None:
        lost = np.append(0, np.cumsum(~recording.readable))
        short &= lost[np.minimum(after, len(points) - 1)] == lost[np.maximum(before, 0)]
    rows, which = np.nonzero(short)
    first, last = before[rows, which], after[rows, which]
    share = ((rows - first) / (last - first))[:, None]
    points[rows, which] = (1 - share) * points[first, which] + share * points[last, which]
    return replace(recording, keypoints=points.reshape(recording.keypoints.shape))
