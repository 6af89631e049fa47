"""The contract of readers: a video file to frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcreg.recording import VideoInfo


@dataclass(frozen=True)
class VideoFrame:
    """A frame of a video.

    Args:
        index: its number, from 0, in the order in which frames are shown; those that cannot be
            decoded count.
        time: seconds from the beginning of the video.
        image: uint8 ``(H, W, 3)`` RGB as it is shown; None for one that cannot be decoded.
        error: why it cannot.
    """

    index: int
    time: float
    image: np.ndarray | None = None
    error: str = ""


class Reader(ABC):
    """A video that is open for reading: ``with SomeReader(path) as video``.

    The parameter ``path`` of ``__init__`` is the file; others are options with defaults.

    Raises:
        DataError: the file is not there, is empty, no video, or a video that this reader cannot
            read, in ``__init__``.
    """

    info: VideoInfo
    """Set in ``__init__``."""

    @abstractmethod
    def frames(self, start: int = 0) -> Iterator[VideoFrame]:
        """Yield the frames in order, from number `start` on, each decoded once.

        A frame that is damaged is yielded without an image. The same frame has the same number and
        the same pixels whatever `start` was.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the file: no frame comes any more. More than once does no harm."""

    @classmethod
    def can_read(cls, path: Path) -> bool:
        """Return whether this reader is made for a file, by its name; by default for all."""
        return True

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
