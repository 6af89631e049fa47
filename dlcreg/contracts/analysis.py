"""The contracts of what follows prediction: tracking and writing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo, Poses


class Tracker(ABC):
    """Poses of single frames to animals followed through a video. Frames come in order."""

    @abstractmethod
    def reset(self, info: DatasetInfo) -> None:
        """Forget all animals; `info` names the keypoints of the video to come."""

    @abstractmethod
    def update(self, poses: Poses, frame: int) -> Poses:
        """Return the poses of a frame with `Poses.identities`; -1 for those of no animal.

        Args:
            poses: CPU tensors with B = 1, in pixels of the frame.
            frame: number of the frame, from 0; numbers may be left out.
        """


class Writer(ABC):
    """The poses of a video to a file of one format."""

    suffix: ClassVar[str]
    """What the file's name ends with, such as ``.h5`` or ``_meta.pickle``."""

    def can_write(self, recording: Recording) -> bool:
        """Return whether the format is made for such a recording; by default for all."""
        return True

    @abstractmethod
    def write(self, recording: Recording, path: Path) -> None:
        """Write a file, whole or not at all; one that is there is replaced.

        Args:
            recording: a row for every frame of the video.
            path: the file, with this format's `suffix`.

        Raises:
            DlcregError: it cannot be written, or a library that it needs is not installed.
        """
