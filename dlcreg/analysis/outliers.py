"""Which frames of a video are worth labelling next."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from dlcreg.recording import Recording


def uncertainty(recording: Recording, pcutoff: float = 0.6) -> np.ndarray:
    """Return for each frame by how much likelihoods lie below `pcutoff`, the mean of keypoints.

    What was not found has a likelihood of 0. Frames that could not be read have 0.

    Returns:
        float64 ``(F,)``, 0 to `pcutoff`.
    """
    scores = np.where(np.isfinite(recording.keypoints).all(axis=-1), recording.scores, 0.0)
    lacking = np.maximum(pcutoff - scores, 0)
    return _of_readable(recording, lacking.reshape(len(recording), -1).mean(axis=1))


def jumps(recording: Recording, pcutoff: float = 0.6) -> np.ndarray:
    """Return for each frame how far, in pixels, a keypoint moved since the frame before at most.

    Keypoints below `pcutoff` in one of the two frames do not count. In a recording that is not
    tracked a keypoint is compared with the nearest of its kind.

    Returns:
        float64 ``(F,)``; 0 for the first frame.
    """
    points = np.where((recording.scores >= pcutoff)[..., None], recording.keypoints, np.nan)
    before, after = points[:-1].astype(np.float64), points[1:].astype(np.float64)
    if recording.tracked or points.shape[1] == 1:
        ways = np.linalg.norm(after - before, axis=-1)
    else:
        every = np.linalg.norm(after[:, :, None] - before[:, None], axis=-1)  # (F, N, N, K)
        ways = np.nan_to_num(every, nan=np.inf).min(axis=2)
        ways[~np.isfinite(ways)] = np.nan
    largest = np.nan_to_num(ways, nan=0.0).reshape(len(ways), -1).max(axis=1, initial=0.0)
    return np.concatenate([np.zeros(min(len(recording), 1)), largest])


def spread(scores: np.ndarray, count: int, gap: int, taken: Collection[int] = ()) -> list[int]:
    """Return the frames of the highest scores, none of them nearer than `gap` to another.

    Args:
        scores: ``(F,)``; frames of 0 or less are not chosen.
        count: most frames to choose.
        gap: least difference of their numbers.
        taken: frames that are there already; what is nearer to them is not chosen either.

    Returns:
        their numbers, in order.
    """
    free = _free(len(scores), gap, taken)
    chosen: list[int] = []
    for frame in np.argsort(-scores, kind="stable").tolist():
        if len(chosen) == count or scores[frame] <= 0:
            break
        if free[frame]:
            chosen.append(frame)
            free &= _free(len(scores), gap, [frame])
    return sorted(chosen)


def novel(
    recording: Recording, known: np.ndarray, count: int, gap: int, taken: Collection[int] = ()
) -> list[int]:
    """Return frames with poses that are least like those that are known, and like one another.

    Poses are compared by the distances between their keypoints, whatever the place and the
    direction of the animal. The frame of the pose that is farthest from all known ones is chosen
    first, its poses are known from then on, and so on (farthest-point sampling, Gonzalez, 1985).

    Args:
        recording: of the video.
        known: float ``(L, K, 2)``, labelled poses, NaN where a keypoint is not; may be empty.
        count: see `spread`.
        gap: see `spread`.
        taken: see `spread`.
    """
    valid = recording.valid
    frames, rows = np.nonzero(valid)
    if not len(frames):
        return []
    shapes = _shapes(np.concatenate([recording.keypoints[frames, rows], known]))
    shapes, references = shapes[: len(frames)], shapes[len(frames) :]
    if not len(references):
        references = shapes.mean(axis=0, keepdims=True)
    far = np.full(len(shapes), np.inf)
    for reference in references:
        far = np.minimum(far, np.linalg.norm(shapes - reference, axis=1))
    free = _free(len(recording), gap, taken)
    chosen: list[int] = []
    while len(chosen) < count:
        best = int(np.argmax(np.where(free[frames], far, -1)))
        if not free[frames[best]] or far[best] <= 0:
            break
        frame = int(frames[best])
        chosen.append(frame)
        free &= _free(len(recording), gap, [frame])
        for shape in shapes[frames == frame]:
            far = np.minimum(far, np.linalg.norm(shapes - shape, axis=1))
    return sorted(chosen)


def _free(length: int, gap: int, taken: Collection[int]) -> np.ndarray:
    """Return which of `length` frames, bool, are no nearer than `gap` to those that are taken."""
    free = np.ones(length, bool)
    for frame in taken:
        free[max(frame - gap + 1, 0) : frame + gap] = False
    return free


def _shapes(poses: np.ndarray) -> np.ndarray:
    """Return the distances between all pairs of keypoints, the unknown ones as in most poses."""
    first, second = np.triu_indices(poses.shape[1], k=1)
    if not len(first):
        return np.nan_to_num(poses.reshape(len(poses), -1).astype(np.float64))
    ways = np.linalg.norm(poses[:, first] - poses[:, second], axis=-1).astype(np.float64)
    known = np.isfinite(ways)
    usual = np.nanmedian(np.where(known.any(axis=0), ways, 0.0), axis=0)
    return np.where(known, ways, usual)


def _of_readable(recording: Recording, values: np.ndarray) -> np.ndarray:
    if recording.readable is None:
        return values
    return np.where(recording.readable, values, 0.0)
