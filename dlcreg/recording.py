"""The poses of a whole video as arrays: what tracking, files, pictures and filters work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.structures import DatasetInfo


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is decoded.

    Args:
        path: the file.
        size: height, width of its frames as they are shown, that is after a rotation that the file
            asks for.
        fps: frames per second, the mean of a video of variable rate; NaN where the file is silent.
        num_frames: as the file says or as its length tells; it may be wrong, and is None where
            neither is known.
    """

    path: Path
    size: tuple[int, int]
    fps: float
    num_frames: int | None = None


@dataclass
class Recording:
    """The poses of F frames of a video, N rows of K keypoints in each.

    Arrays are numpy, coordinates are pixels of the frame as it is shown, pixel centres have integer
    coordinates.

    Args:
        keypoints: float32 ``(F, N, K, 2)``, x, y; NaN for what was not found, and in the rows of
            frames that could not be read.
        scores: float32 ``(F, N, K)``, likelihoods; 0 for what was not found.
        instance_scores: float32 ``(F, N)``; 0 for a row without an animal.
        info: names of keypoints, individuals and unique body parts, skeleton.
        tracked: whether a row is the same animal in all frames, namely that of the row's number in
            `individuals`. Otherwise rows are in the order in which the model found them.
        individuals: names of the N rows of a tracked recording; of one that is not, the names that
            `identities` counts.
        identities: int64 ``(F, N)``, index of the individual that the identity head or a tracker
            says it is; -1 for none of them; or None.
        identity_scores: float32 ``(F, N, K, A)``, see `Poses.identity_scores`; or None.
        boxes: float32 ``(F, N, 4)`` x, y, width, height, NaN where there is no animal; or None.
        unique: float32 ``(F, U, 3)`` x, y, likelihood of the unique body parts; or None.
        readable: bool ``(F,)``, whether the frame was looked at: False for one that could not be
            read, and for those before the first that was asked for; None: all of them.
        times: float64 ``(F,)``, seconds from the beginning of the video; None: not known.
        video: the video, where it is known.
        scorer: name of what found the poses, as DeepLabCut's files have it.
        provenance: checkpoint, config and plug-ins that made it, in plain containers; ``frames``
            are those of the video that were asked for, where that was not all of them.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    instance_scores: np.ndarray
    info: DatasetInfo
    tracked: bool = False
    individuals: tuple[str, ...] = ()
    identities: np.ndarray | None = None
    identity_scores: np.ndarray | None = None
    boxes: np.ndarray | None = None
    unique: np.ndarray | None = None
    readable: np.ndarray | None = None
    times: np.ndarray | None = None
    video: VideoInfo | None = None
    scorer: str = "dlcreg"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def asked(self) -> tuple[int, int]:
        """The numbers of the first frame that was asked for, and of the one after the last."""
        first, stop = self.provenance.get("frames") or (0, len(self))
        return int(first), int(stop)

    def part(self, start: int, stop: int) -> Recording:
        """Return the frames from number `start` to the one before `stop`, as a recording."""
        values: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                values[name] = value[start:stop]
        return Recording(**values)

    @property
    def valid(self) -> np.ndarray:
        """Which rows hold an animal: bool ``(F, N)``, those with a keypoint that was found."""
        return np.asarray(np.isfinite(self.keypoints).all(axis=-1).any(axis=-1))
