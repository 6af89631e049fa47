"""Animals followed from frame to frame by a model that looks at a condition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from dlcreg.errors import DataError
from dlcreg.inference.sources import Frame
from dlcreg.inference.tracking import Tracks, as_proposals, best_pose
from dlcreg.solvers.prediction import nobody
from dlcreg.structures import Meta, Poses

if TYPE_CHECKING:
    from dlcreg.inference.predictor import Predictor


def tracks_of(predictor: Predictor, max_animals: int | None, **settings: float) -> Tracks:
    """Return the tracks of as many animals as there are at most; see `Predictor.track`."""
    source, proposals = predictor.trained.source, predictor.proposals
    if not predictor.trained.needs_condition:
        raise DataError(f"{source} looks at no condition, by which animals could be followed")
    if max_animals is None:
        info = getattr(proposals, "info", None)
        if info is None:
            raise ValueError("give max_animals: the proposals do not say how many there are")
        max_animals = info.num_individuals
    return Tracks(max_animals, predictor.info, **settings)


def followed(
    predictor: Predictor, frames: Iterable[Frame], tracks: Tracks, every: int
) -> Iterator[tuple[Meta, Poses]]:
    """Yield the `Meta` and the poses of each frame, a row for each animal.

    Args:
        predictor: of a model that looks at a condition.
        frames: that were read, in the order of time.
        tracks: the animals; none is followed yet.
        every: frames from one look for missing animals to the next.
    """
    if every < 1:
        raise ValueError(f"every={every}: give 1 or more")
    until_look = 0
    for frame in frames:
        if frame.image is None:
            yield frame.meta, nobody(predictor.info, len(tracks.age))
            continue
        rows, poses = tracks.rows.tolist(), tracks.poses[tracks.rows]
        poses = _next_poses(predictor, frame, poses)
        if not tracks.has_free_row:
            until_look = 0
        elif until_look:
            until_look -= 1
        else:
            until_look = every - 1
            ((_, found),) = predictor.proposed([frame])
            new = _next_poses(predictor, frame, tracks.newcomers(found, poses))
            rows, poses = [*rows, *[-1] * len(new)], np.concatenate([poses, new])
        tracks.update(rows, poses)
        yield frame.meta, tracks.current()


def _next_poses(predictor: Predictor, frame: Frame, conditions: np.ndarray) -> np.ndarray:
    """Return the poses ``(M, K, 3)`` that conditions ``(M, K, 3)`` lead to in a frame."""
    jobs = (predictor.samples.crops(frame, as_proposals(one[None])) for one in conditions)
    count = predictor.info.num_keypoints
    poses = [best_pose(found, count) for _, found in predictor.run(jobs)]
    return np.stack(poses) if poses else conditions
