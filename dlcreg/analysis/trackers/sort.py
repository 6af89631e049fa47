"""SORT: what was found in a frame goes to the animals that are predicted to be there."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from dlcreg.analysis.trackers.kalman import ConstantVelocity
from dlcreg.analysis.trackers.shapes import extents
from dlcreg.contracts import Tracker
from dlcreg.structures import DatasetInfo, Poses

_SMOOTHED = 0.1  # share of a new size in that of an animal


@dataclass(frozen=True)
class Found:
    """The M animals of a frame.

    Args:
        keypoints: float64 ``(M, K, 2)``, NaN where not found; none is NaN throughout.
        boxes: float64 ``(M, 4)``, x, y of the middle, width, height.
    """

    keypoints: np.ndarray
    boxes: np.ndarray


class Sort(Tracker):
    """Simple online and realtime tracking.

    Each animal moves on at constant velocity (`ConstantVelocity`); what is found in the next frame
    is assigned so that the sum of similarities is the largest (the Hungarian method). What fits no
    animal is a new one. How an animal is described and what makes two alike is for subclasses to
    say.

    Bewley, Ge, Ott, Ramos, Upcroft: Simple online and realtime tracking (ICIP 2016).

    Args:
        threshold: least similarity, from 0 to 1, of an animal and its successor.
        max_age: frames without an animal after which it is given up.
        min_hits: frames in which a new animal must be found before it is believed to be one; it
            has no number before.
        margin: of two ways to assign, the better one is followed only if it is better by this
            much; where it is not, the animals in question get new numbers. So a number stands for
            one animal even where two meet, and stitching decides later who was who. 0: never.
        min_score: likelihood below which a keypoint is not looked at.
        min_size: pixels that an animal is large at least, for those of one keypoint.

    Raises:
        ValueError: a number out of range.
    """

    def __init__(
        self,
        threshold: float = 0.3,
        max_age: int = 2,
        min_hits: int = 1,
        margin: float = 0.1,
        min_score: float = 0.0,
        min_size: float = 10.0,
    ) -> None:
        for name, share in (("threshold", threshold), ("margin", margin), ("min_score", min_score)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name}={share:g}: give a number from 0 to 1")
        for name, count, least in (("max_age", max_age, 0), ("min_hits", min_hits, 1)):
            if count < least:
                raise ValueError(f"{name}={count}: give {least} or more")
        if min_size <= 0:
            raise ValueError(f"min_size={min_size:g}: give more than 0 pixels")
        self.threshold, self.margin, self.min_score = threshold, margin, min_score
        self.max_age, self.min_hits, self.min_size = max_age, min_hits, min_size
        self.reset(DatasetInfo(()))

    @abstractmethod
    def described(self, found: Found) -> np.ndarray:
        """Return the state of the animals that were found ``(M, D)``, each number in pixels."""

    @abstractmethod
    def similarity(self, predicted: np.ndarray, found: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Return how alike animals are, ``(T, M)``, from 0 to 1.

        Args:
            predicted: states ``(T, D)``.
            found: what `described` said of this frame ``(M, D)``.
            sizes: ``(T, M)``, pixels, the larger size of each two.
        """

    def completed(self, predicted: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Return found states ``(M, D)``, with what is missing by what was predicted ``(M, D)``."""
        return found

    def reset(self, info: DatasetInfo) -> None:
        """Forget all animals."""
        self.info = info
        self._motion: ConstantVelocity | None = None
        self._numbers = np.zeros(0, np.int64)
        self._seen = np.zeros(0, np.int64)  # number of the frame
        self._hits = np.zeros(0, np.int64)
        self._next, self._frame = 0, -1

    def update(self, poses: Poses, frame: int) -> Poses:
        """Return the poses of a frame with the numbers of their animals, see `Tracker.update`."""
        keypoints = poses.keypoints[0].double().numpy()
        found = poses.valid[0].numpy()[:, None] & np.isfinite(keypoints).all(axis=-1)
        if self.min_score:
            found &= poses.scores[0].numpy() >= self.min_score
        rows = np.flatnonzero(found.any(axis=1))
        keypoints = np.where(found[..., None], keypoints, np.nan)[rows]
        given = None if poses.boxes is None else poses.boxes[0].double().numpy()[rows]
        identities = np.full(len(found), -1)
        boxes = extents(keypoints, given, self.min_size)
        identities[rows] = self._follow(Found(keypoints, boxes), frame)
        return replace(poses, identities=torch.from_numpy(identities)[None])

    def _follow(self, animals: Found, frame: int) -> np.ndarray:
        """Return the numbers of the animals that were found ``(M,)``."""
        if frame <= self._frame:
            raise ValueError(f"frame {frame} comes after frame {self._frame}: give them in order")
        found = self.described(animals)
        size = np.sqrt(animals.boxes[:, 2:].prod(axis=1))
        if self._motion is None:
            self._motion = ConstantVelocity(found.shape[1])
        motion = self._motion
        motion.predict(frame - self._frame)
        self._frame = frame
        self._keep(frame - self._seen <= self.max_age + 1)
        sizes = np.maximum(motion.size[:, None], size[None])
        similarity = self.similarity(motion.position, found, sizes) if sizes.size else sizes
        tracks, poses = linear_sum_assignment(similarity, maximize=True)
        good = similarity[tracks, poses] >= max(self.threshold, np.spacing(1.0))
        tracks, poses = tracks[good], poses[good]
        states = self.completed(motion.position[tracks], found[poses])
        smooth = (1 - _SMOOTHED) * motion.size[tracks] + _SMOOTHED * size[poses]
        motion.update(tracks, states, smooth)
        self._seen[tracks] = frame
        self._hits[tracks] += 1
        doubted = tracks[self._doubtful(similarity, tracks, poses)]
        self._numbers[doubted] = self._new_numbers(len(doubted))
        numbers = np.full(len(found), -1)
        numbers[poses] = np.where(self._hits[tracks] >= self.min_hits, self._numbers[tracks], -1)
        new = np.setdiff1d(np.arange(len(found)), poses)
        numbers[new] = self._begin(found[new], size[new], frame)
        return numbers

    def _doubtful(
        self, similarity: np.ndarray, tracks: np.ndarray, poses: np.ndarray
    ) -> np.ndarray:
        """Return which pairs of an assignment would be nearly as good in another way, bool."""
        doubtful = np.zeros(len(tracks), bool)
        if not self.margin or not len(tracks):
            return doubtful
        value = similarity[tracks, poses]
        exchanged = similarity[np.ix_(tracks, poses)]
        loss = value[:, None] + value[None] - exchanged - exchanged.T
        np.fill_diagonal(loss, np.inf)
        doubtful |= (loss < 2 * self.margin).any(axis=1)
        others = np.setdiff1d(np.arange(similarity.shape[0]), tracks)
        rivals = similarity[np.ix_(others, poses)].max(axis=0, initial=0.0)
        others = np.setdiff1d(np.arange(similarity.shape[1]), poses)
        rivals = np.maximum(rivals, similarity[np.ix_(tracks, others)].max(axis=1, initial=0.0))
        return np.asarray(doubtful | (value - rivals < self.margin))

    def _begin(self, found: np.ndarray, size: np.ndarray, frame: int) -> np.ndarray:
        """Follow new animals, and return their numbers as far as they are believed to be some."""
        assert self._motion is not None
        numbers = self._new_numbers(len(found))
        self._motion.add(self.completed(np.full(found.shape, np.nan), found), size)
        self._numbers = np.append(self._numbers, numbers)
        self._seen = np.append(self._seen, np.full(len(found), frame))
        self._hits = np.append(self._hits, np.ones(len(found), np.int64))
        return numbers if self.min_hits <= 1 else np.full(len(found), -1)

    def _new_numbers(self, count: int) -> np.ndarray:
        self._next += count
        return np.arange(self._next - count, self._next)

    def _keep(self, rows: np.ndarray) -> None:
        if rows.all():
            return
        assert self._motion is not None
        self._motion.keep(rows)
        self._numbers, self._seen = self._numbers[rows], self._seen[rows]
        self._hits = self._hits[rows]
