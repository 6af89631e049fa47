"""The contracts of what follows prediction: tracking and writing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

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
    """Predictions to a file, as they come: `open`, `write` for each frame in order, `close`."""

    suffix: ClassVar[str]
    """Ending of the file's name, such as ``.h5``."""

    @abstractmethod
    def open(self, path: Path, info: DatasetInfo, provenance: Mapping[str, Any]) -> None:
        """Begin a file.

        Args:
            path: the file.
            info: names of keypoints and animals.
            provenance: what made the predictions, in plain containers.
        """

    @abstractmethod
    def write(self, poses: Poses, frame: int) -> None:
        """Add a frame.

        Args:
            poses: CPU tensors with B = 1, in pixels of the frame; no row for a frame that could
                not be read.
            frame: number of the frame, from 0.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the file, so that it is whole."""
