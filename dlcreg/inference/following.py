"""Animals followed from frame to frame by a model that looks at a condition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dlcreg.errors import DataError
from dlcreg.inference.sources import Frame
from dlcreg.inference.tracking import Tracks, as_proposals, best_pose
from dlcreg.solvers.prediction import nobody
from dlcreg.structures import Poses

if TYPE_CHECKING:
    from dlcreg.inference.predictor import Predictor

_TRACKS = ("poses", "age", "seen")  # what `Tracks` knows of the frames before


class Follower(Protocol):
    """Finds the poses of frames one after the other, each by what the frames before it showed."""

    def on_frames(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Poses]]:
        """Yield frames that were read, in the order of time, each with its poses."""

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next frame depends on; what was returned does not change."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where another follower of the same settings was."""


@dataclass(frozen=True)
class Conditioned:
    """How animals are followed by a model that looks at a condition (Zhou et al., 2023).

    Args:
        max_animals: how many there are at most; None: as many as the model that proposes poses
            finds in an image at most.
        every: while an animal is missing, it is looked for in the first image without it, and then
            in every so manieth.
        new: see `Tracks`.
        lost: likewise.
        same: likewise.

    Raises:
        ValueError: a number out of range.
    """

    max_animals: int | None = None
    every: int = 10
    new: float = 0.25
    lost: float = 0.01
    same: float = 0.9

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every={self.every}: give 1 or more")


class ConditionedFollower:
    """Follows animals: the last pose of each is its next condition.

    Args:
        predictor: of a model that looks at a condition.
        settings: how it follows.

    Raises:
        DataError: the model looks at no condition.
        ValueError: a number out of range, or nobody knows how many animals there are.
    """

    def __init__(self, predictor: Predictor, settings: Conditioned) -> None:
        if not predictor.trained.needs_condition:
            raise DataError(
                f"{predictor.trained.source} looks at no condition, by which animals could be "
                "followed"
            )
        self.predictor, self.every = predictor, settings.every
        count = settings.max_animals
        if count is None:
            info = getattr(predictor.proposals, "info", None)
            if info is None:
                raise ValueError("give max_animals (--animals): the proposals do not say it")
            count = info.num_individuals
        values = asdict(settings)
        limits = {name: values[name] for name in ("new", "lost", "same")}
        self.tracks = Tracks(count, predictor.info, **limits)
        self.until_look = 0  # frames until missing animals are looked for again

    def on_frames(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Poses]]:
        """Yield the frames, each with its poses: a row for each animal, see `Tracks.current`.

        Animals are followed beyond a frame that could not be read.
        """
        tracks = self.tracks
        for frame in frames:
            if frame.image is None:
                yield frame, nobody(self.predictor.info, len(tracks.age))
                continue
            rows, poses = tracks.rows.tolist(), tracks.poses[tracks.rows]
            poses = self._next_poses(frame, poses)
            if not tracks.has_free_row:
                self.until_look = 0
            elif self.until_look:
                self.until_look -= 1
            else:
                self.until_look = self.every - 1
                ((_, found),) = self.predictor.proposed([frame])
                new = self._next_poses(frame, tracks.newcomers(found, poses))
                rows, poses = [*rows, *[-1] * len(new)], np.concatenate([poses, new])
            tracks.update(rows, poses)
            yield frame, tracks.current()

    def state(self) -> dict[str, np.ndarray]:
        """Return the tracks, and when missing animals are looked for."""
        state = {name: getattr(self.tracks, name).copy() for name in _TRACKS}
        return {**state, "until_look": np.array(self.until_look)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where another follower of as many animals was."""
        for name in _TRACKS:
            getattr(self.tracks, name)[:] = state[name]
        self.until_look = int(state["until_look"])

    def _next_poses(self, frame: Frame, conditions: np.ndarray) -> np.ndarray:
        """Return the poses ``(M, K, 3)`` that conditions ``(M, K, 3)`` lead to in a frame."""
        predictor = self.predictor
        jobs = (predictor.samples.crops(frame, as_proposals(one[None])) for one in conditions)
        count = predictor.info.num_keypoints
        poses = [best_pose(found, count) for _, found in predictor.run(jobs)]
        return np.stack(poses) if poses else conditions
