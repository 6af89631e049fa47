"""The contracts of what follows prediction: tracking and writing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo, Poses


class Tracker(ABC):
    """Poses of single frames to animals that are followed through a video.

    `reset`, then `update` for each frame, in order. A tracker gives every animal that it follows a
    number. It may lose one, or not be sure, and go on with another number: which numbers are the
    same animal is for stitching to say.
    """

    code: ClassVar[str] = "tracks"
    """What the names of result files say after the scorer; DeepLabCut knows its own trackers by
    ``bx`` (box), ``el`` (ellipse) and ``sk`` (skeleton)."""

    @abstractmethod
    def reset(self, info: DatasetInfo) -> None:
        """Forget all animals, and count from 0 again; `info` names the keypoints to come."""

    @abstractmethod
    def update(self, poses: Poses, frame: int) -> Poses:
        """Return the poses of a frame with the numbers of their animals as `Poses.identities`.

        A number counts from 0, stands for one animal, and once in a frame; -1 for poses that are
        of none. All else stays as it is, and so does what was given.

        Args:
            poses: CPU tensors with B = 1, in pixels of the frame.
            frame: number of the frame, larger than the last one; those of frames that could not
                be read are left out.

        Raises:
            ValueError: a frame out of order.
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
