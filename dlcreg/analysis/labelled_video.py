"""A video with its poses drawn into it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import av
import numpy as np

from dlcreg.analysis.encoding import encodable, write_video
from dlcreg.analysis.painting import Painter
from dlcreg.contracts import Reader, VideoFrame
from dlcreg.errors import DataError
from dlcreg.inference.threads import mapped_ahead, read_ahead

T = TypeVar("T")

_AHEAD = 4  # frames that wait for each worker, at most


@dataclass(frozen=True)
class Labelled:
    """What `write_labelled_video` made.

    Args:
        path: the MP4 file.
        frames: their number.
        unreadable: how many could not be decoded, and show the frame before them instead.
        seconds: how long it took.
    """

    path: Path
    frames: int
    unreadable: int
    seconds: float


def write_labelled_video(
    reader: Reader,
    painter: Painter,
    path: Path,
    *,
    workers: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Labelled:
    """Write a video with poses drawn into it as H.264, whole or not at all.

    Decoding, drawing and encoding overlap in threads, which all of them leave the interpreter free
    for; what waits is bounded. Each frame is shown when it is in the original. One that cannot be
    decoded shows the frame before it, without poses.

    Args:
        reader: the video, which stays open.
        painter: draws the poses.
        path: the MP4 file.
        workers: threads that draw; None: by the number of cores.
        progress: called with the number of frames that are done and of all, None if unknown.

    Raises:
        DataError: the video has no frame that can be decoded.
        DlcregError: the file cannot be written.
    """
    workers = workers or max(1, min(8, (os.cpu_count() or 1) - 1))
    height, width = reader.info.size
    unreadable = 0

    def images() -> Iterator[tuple[VideoFrame, np.ndarray | None]]:
        nonlocal unreadable
        shown: np.ndarray | None = None
        for frame in reader.frames():
            unreadable += frame.image is None
            yield frame, shown
            shown = frame.image if frame.image is not None else shown
        if shown is None:
            raise DataError(f"no frame of {reader.info.path} can be decoded")

    def draw(item: tuple[VideoFrame, np.ndarray | None]) -> tuple[av.VideoFrame, float]:
        frame, before = item
        if frame.image is not None:
            image = frame.image.copy()  # the next one may be shown it
            painter.paint(image, frame.index)
        else:
            image = before if before is not None else np.zeros((height, width, 3), np.uint8)
        return encodable(image), frame.time

    started = time.perf_counter()
    fps = reader.info.fps if math.isfinite(reader.info.fps) and reader.info.fps > 0 else 25.0
    drawn = mapped_ahead(draw, read_ahead(images(), _AHEAD), workers, _AHEAD * workers)
    count = write_video(path, _counted(drawn, reader.info.num_frames, progress), fps)
    return Labelled(path, count, unreadable, time.perf_counter() - started)


def _counted(
    items: Iterable[T], of: int | None, tell: Callable[[int, int | None], None] | None
) -> Iterator[T]:
    for done, item in enumerate(items, start=1):
        yield item
        if tell is not None:
            tell(done, of)
