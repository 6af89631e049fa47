"""Tracklets: pieces of tracks, and what stitching looks at in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcreg.analysis.trackers.shapes import extents
from dlcreg.recording import Recording

_BACK = 5  # frames from which the velocity at an end is taken
_LEAST = 10.0  # pixels that an animal is taken to be large at least


@dataclass(frozen=True)
class Tracklets:
    """V tracklets in the order in which they begin.

    Args:
        numbers: int64 ``(V,)``, as the tracker numbered them.
        start: int64 ``(V,)``, first frame.
        end: int64 ``(V,)``, last frame.
        length: int64 ``(V,)``, frames in which the animal was found.
        first: float32 ``(V, K, 2)``, the first pose, NaN where not found.
        last: float32 ``(V, K, 2)``, the last pose.
        first_velocity: float64 ``(V, 2)``, pixels for each frame.
        last_velocity: float64 ``(V, 2)``, likewise.
        size: float64 ``(V,)``, pixels.
        votes: float64 ``(V, A)``, shares of 1, who it is; None where nobody says it.
    """

    numbers: np.ndarray
    start: np.ndarray
    end: np.ndarray
    length: np.ndarray
    first: np.ndarray
    last: np.ndarray
    first_velocity: np.ndarray
    last_velocity: np.ndarray
    size: np.ndarray
    votes: np.ndarray | None

    def __len__(self) -> int:
        return len(self.numbers)


def tracklets_of(recording: Recording, numbers: np.ndarray) -> Tracklets:
    """Return the tracklets of a video.

    Args:
        recording: with poses wherever `numbers` are.
        numbers: int64 ``(F, N)`` of a tracker; -1 for poses of none.
    """
    frames, rows = np.nonzero(numbers >= 0)
    which = numbers[frames, rows]
    order = np.lexsort((frames, which))
    frames, rows, which = frames[order], rows[order], which[order]
    begins = np.flatnonzero(np.diff(which, prepend=-1))
    ends = np.append(begins, len(which))[1:] - 1
    after, before = np.minimum(begins + _BACK, ends), np.maximum(ends - _BACK, begins)
    poses = recording.keypoints
    first, last = poses[frames[begins], rows[begins]], poses[frames[ends], rows[ends]]
    then, back = poses[frames[after], rows[after]], poses[frames[before], rows[before]]
    boxes = extents(np.concatenate([first, last]).astype(float), None, _LEAST)
    size = np.sqrt(boxes[:, 2:].prod(axis=1)).reshape(2, -1).max(axis=0)
    votes = votes_of(recording)
    if votes is not None:
        total = np.add.reduceat(votes[frames, rows], begins) if len(begins) else votes[0, :0]
        votes = total / (ends - begins + 1)[:, None]
    by_start = np.lexsort((which[begins], frames[begins]))
    begins, ends, after, before = (one[by_start] for one in (begins, ends, after, before))
    first, last, then, back = (one[by_start] for one in (first, last, then, back))
    return Tracklets(
        numbers=which[begins],
        start=frames[begins],
        end=frames[ends],
        length=ends - begins + 1,
        first=first,
        last=last,
        first_velocity=_displacement(first, then)
        / np.maximum(frames[after] - frames[begins], 1)[:, None],
        last_velocity=_displacement(back, last)
        / np.maximum(frames[ends] - frames[before], 1)[:, None],
        size=size[by_start],
        votes=None if votes is None else votes[by_start],
    )


def votes_of(recording: Recording) -> np.ndarray | None:
    """Return who each pose is, as shares ``(F, N, A)`` of 1; or None where nobody says it.

    They are the mean of the identity scores of its keypoints, else 1 for its identity; all alike
    for a pose without either.
    """
    scores, identities = recording.identity_scores, recording.identities
    names = recording.individuals or recording.info.individuals
    if scores is not None:
        total = scores.sum(axis=2, dtype=np.float64)
    elif identities is not None and len(names):
        total = (identities[..., None] == np.arange(len(names))).astype(float)
    else:
        return None
    most = total.sum(axis=-1, keepdims=True)
    return np.where(most > 0, total / np.where(most > 0, most, 1), 1 / total.shape[-1])


def split_by_votes(numbers: np.ndarray, votes: np.ndarray, least: float = 5.0) -> np.ndarray:
    """Return tracklets that are split where the votes for who they are change.

    A tracklet is split where its two parts, each being whom it has the most votes for, together
    have more votes by `least` than the whole has for anyone; and so are its parts.

    Args:
        numbers: int64 ``(F, N)``, of tracklets; -1 for none.
        votes: float ``(F, N, A)``, see `votes_of`.
        least: votes, each of one frame.
    """
    frames, rows = np.nonzero(numbers >= 0)
    which = numbers[frames, rows]
    order = np.lexsort((frames, which))
    frames, rows, which = frames[order], rows[order], which[order]
    begins = np.append(np.flatnonzero(np.diff(which, prepend=-1)), len(which))
    total = np.concatenate([np.zeros((1, votes.shape[-1])), votes[frames, rows].cumsum(axis=0)])
    result, new = numbers.copy(), int(numbers.max(initial=-1)) + 1
    parts = list(zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True))
    while parts:
        low, high = parts.pop()
        if high - low < 2 * least:
            continue
        left, right = total[low:high] - total[low], total[high] - total[low:high]
        gain = left.max(axis=1) + right.max(axis=1) - right[0].max()
        cut = low + int(gain.argmax())
        if gain.max() > least:
            result[frames[cut:high], rows[cut:high]] = new
            new += 1
            parts += [(low, cut), (cut, high)]
    return result


def _displacement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the mean way of the keypoints that both have ``(V, 2)``; 0 where there are none."""
    way = (second - first).astype(np.float64)
    known = np.isfinite(way)
    return np.asarray(np.where(known, way, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))
