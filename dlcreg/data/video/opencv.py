"""Videos by OpenCV, for what PyAV cannot open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from dlcreg.contracts import Reader, VideoFrame
from dlcreg.data.video.files import check_file
from dlcreg.errors import DataError
from dlcreg.recording import VideoInfo
from dlcreg.registry import READERS


@READERS.register_module()
class OpenCVReader(Reader):
    """A video that OpenCV decodes, by whichever of its backends can.

    OpenCV does not tell a damaged frame from the end: what cannot be decoded is not counted.

    Args:
        path: the file.

    Raises:
        DataError: the file is not there, empty, or OpenCV cannot read it.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        check_file(path)
        self._path, self._closed = path, False
        capture = self._open()
        is_read, image = capture.read()
        if not is_read:
            raise DataError(f"{path} is no video that OpenCV can read: convert it with ffmpeg")
        rate = capture.get(cv2.CAP_PROP_FPS)
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        self._rate = float(rate) if rate > 0 else float("nan")
        self.info = VideoInfo(path, image.shape[:2], self._rate, count if count > 0 else None)

    def frames(self, start: int = 0) -> Iterator[VideoFrame]:
        """Yield the frames in order, decoding from the beginning."""
        if start < 0:
            raise ValueError(f"start={start}: give the number of a frame, from 0 on")
        capture, index = self._open(), 0
        try:
            while not self._closed and capture.grab():
                if index >= start:
                    seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                    is_read, image = capture.retrieve()
                    if is_read:
                        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                        yield VideoFrame(index, seconds, image)
                    else:
                        yield VideoFrame(index, seconds, None, "it cannot be decoded")
                index += 1
        finally:
            capture.release()

    def close(self) -> None:
        """Close the file: iterators that are at work end."""
        self._closed = True

    def _open(self) -> Any:
        capture = cv2.VideoCapture(str(self._path))
        if not capture.isOpened():
            raise DataError(
                f"{self._path} is no video that OpenCV can open: convert it with ffmpeg"
            )
        return capture
