"""Videos by PyAV, that is by FFmpeg's own libraries."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import av
from av.error import FFmpegError

from dlcreg.contracts import Reader, VideoFrame
from dlcreg.data.video.display import Display
from dlcreg.data.video.files import NotAVideoError, check_file
from dlcreg.data.video.packets import Beginning, Numbering, beginning, continuous, is_frame
from dlcreg.errors import DataError
from dlcreg.recording import VideoInfo
from dlcreg.registry import READERS

logger = logging.getLogger("dlcreg")

_DAMAGED = "it is damaged and cannot be decoded"
_CUT_OFF = "the file ends before it"
_ONE_THREAD = ("NONE", 1)
_PICTURES = ("image2", "_pipe")  # what FFmpeg calls the formats of single pictures
_TEXTS = ("tty", "ass", "srt", "webvtt", "lrc", "concat")  # which it takes texts for
_EXACT = 0x2 | 0x2000 | 0x40000
"""libswscale's BILINEAR, FULL_CHR_H_INT and ACCURATE_RND. By default it gives pairs of pixels one
colour where it interpolates colours, which moves edges by half a pixel."""


@READERS.register_module()
class PyAVReader(Reader):
    """A video that FFmpeg decodes, with as many threads as pay.

    Frames are numbered by the times at which they are shown: one that cannot be decoded is missing
    in its own place. Where a file says how many frames it has and ends before them, those are
    missing at the end.

    Args:
        path: the file.
        thread_type: what FFmpeg's threads share out: ``AUTO`` frames or slices, ``FRAME``,
            ``SLICE``, ``NONE``.
        thread_count: how many there are; 0: as many as there are cores.

    Raises:
        DataError: the file is not there, empty, no video, or FFmpeg cannot read it.
    """

    def __init__(
        self,
        path: str | Path,
        thread_type: Literal["AUTO", "FRAME", "SLICE", "NONE"] = "AUTO",
        thread_count: int = 0,
    ) -> None:
        path = Path(path)
        check_file(path)
        self._path, self._closed = path, False
        self._threads: tuple[str, int] = (thread_type, thread_count)
        with self._open() as (container, stream):
            self._origin, self._rate = stream.start_time, _rate(stream)
            self._expected = _expected(container, stream)
            first = self._first(container, stream)
            matrix = first.side_data.get("DISPLAYMATRIX")
            self._display = Display() if matrix is None else Display.from_matrix(bytes(matrix))
            self._stored = (first.width, first.height)
            length = _length(container, stream)
        self.info = VideoInfo(
            path,
            self._display.size(first.height, first.width),
            float(self._rate or "nan"),
            self._expected or length,
        )

    def frames(self, start: int = 0) -> Iterator[VideoFrame]:
        """Yield the frames in order; see the contract."""
        if start < 0:
            raise ValueError(f"start={start}: give the number of a frame, from 0 on")
        return self._from(self._beginning(start), start)

    def close(self) -> None:
        """Close the file: iterators that are at work end."""
        self._closed = True

    def _beginning(self, start: int) -> Beginning:
        if start == 0:
            return Beginning()
        with self._open() as (container, stream):
            packets = _packets(container, stream, self._path)
            return beginning(packets, stream.codec_context.name, start)

    def _from(
        self, begin: Beginning, start: int, threads: tuple[str, int] | None = None
    ) -> Iterator[VideoFrame]:
        """Yield the frames from number `start` on, decoding from `begin` on."""
        threads = threads or self._threads
        for frame in self._decoded(begin, threads):
            is_missing = frame.image is None and frame.error == _DAMAGED
            if frame.index < start and is_missing and begin.skipped:
                # what is shown after damage may depend on frames long before it
                yield from self._from(Beginning(), start, threads)
                return
            if frame.index >= start:
                if is_missing and threads != _ONE_THREAD:
                    # what several threads make of damage depends on how many they are
                    last = frame.index
                    yield from self._from(self._beginning(last), last, _ONE_THREAD)
                    return
                yield frame

    def _decoded(self, begin: Beginning, threads: tuple[str, int]) -> Iterator[VideoFrame]:
        numbering, corrupt = Numbering(begin.number), set[int]()
        with self._open() as (container, stream):
            stream.thread_type, stream.codec_context.thread_count = threads
            for index, packet in enumerate(_packets(container, stream, self._path)):
                if self._closed:
                    return
                if 0 < index < begin.skipped:
                    continue
                if is_frame(packet) and index >= begin.skipped:
                    numbering.sent(packet.pts)
                    if packet.is_corrupt and packet.pts is not None:
                        corrupt.add(packet.pts)
                try:
                    frames, failed = packet.decode(), False
                except FFmpegError:
                    frames, failed = [], True
                for frame in frames:
                    is_early = begin.time is not None and frame.pts < begin.time
                    if is_early or numbering.is_late(frame.pts):
                        continue
                    for number, time in numbering.missing(frame.pts):
                        yield self._missing(number, time, _DAMAGED)
                    number = numbering.count(frame.pts)
                    if frame.is_corrupt or frame.pts in corrupt:
                        yield self._missing(number, frame.pts, _DAMAGED)
                    else:
                        yield VideoFrame(number, self._time(number, frame.pts), self._image(frame))
                if failed and packet.size and packet.pts is None:
                    yield self._missing(numbering.count(), None, _DAMAGED)
        for number, time in numbering.missing(math.inf):
            yield self._missing(number, time, _DAMAGED)
        for number in range(numbering.next, self._expected or 0):
            yield self._missing(number, None, _CUT_OFF)

    def _image(self, frame: Any) -> Any:
        if frame.format.name != "rgb24" or (frame.width, frame.height) != self._stored:
            # of 8 bits FFmpeg makes the pixels that OpenCV, and so DeepLabCut, sees
            is_deep = any(component.bits > 8 for component in frame.format.components)
            how = {"interpolation": _EXACT} if is_deep else {}
            frame = frame.reformat(*self._stored, format="rgb24", **how)
        return self._display.shown(frame.to_ndarray())

    def _missing(self, number: int, time: int | None, error: str) -> VideoFrame:
        return VideoFrame(number, self._time(number, time), None, error)

    def _time(self, number: int, pts: int | None) -> float:
        """Return the seconds from the beginning."""
        if pts is not None and self._base is not None:
            return float((pts - (self._origin or 0)) * self._base)
        return number / float(self._rate) if self._rate else float("nan")

    @contextmanager
    def _open(self) -> Iterator[tuple[Any, Any]]:
        """Open the file; yield the container and its video stream."""
        try:
            container = av.open(str(self._path), metadata_errors="ignore")
        except (FFmpegError, ValueError) as error:
            raise self._broken(_said(error)) from error
        with container:
            stream = self._stream(container)
            self._base = stream.time_base
            yield container, stream

    def _stream(self, container: Any) -> Any:
        name = container.format.name
        if name in _TEXTS:
            raise NotAVideoError(f"{self._path} is a text and no video")
        if name.endswith(_PICTURES):
            raise NotAVideoError(f"{self._path} is an image: 'dlcreg predict' is for images")
        streams = [s for s in container.streams.video if not _is_cover(s)]
        if not streams:
            kinds = sorted({s.type for s in container.streams} & {"audio", "subtitle"})
            if not kinds:
                raise self._broken(f"what {name} looks like is in it, but no video")
            raise NotAVideoError(f"{self._path} holds {' and '.join(kinds)}, but no video")
        if streams[0].codec_context is None:
            raise DataError(
                f"{self._path}: this build of PyAV has no decoder for it. Convert the video, such "
                "as with ffmpeg -i IN OUT.mp4"
            )
        return streams[0]

    def _broken(self, why: str) -> DataError:
        return DataError(
            f"{self._path} is no video, or its beginning or its index is damaged ({why}). A "
            "recording that was broken off looks like this, too: record or copy it again, or "
            "convert it with ffmpeg"
        )

    def _first(self, container: Any, stream: Any) -> Any:
        """Return the first frame that can be decoded."""
        error: object = "no packets"
        for packet in _packets(container, stream, self._path):
            try:
                for frame in packet.decode():
                    return frame
            except FFmpegError as caught:
                error = _said(caught)
        raise DataError(
            f"{self._path} holds no frame that can be decoded ({error}): record or copy it again"
        )


def _packets(container: Any, stream: Any, path: Path) -> Iterator[Any]:
    """Yield the packets, and an empty one at the end; what cannot be read is the end."""
    packets = continuous(container.demux(stream))
    while True:
        try:
            packet = next(packets, None)
        except (FFmpegError, OSError) as error:
            logger.warning("%s cannot be read to its end: %s", path, _said(error))
            packet = av.Packet()
            packet.stream = stream
            yield packet
            return
        if packet is None:
            return
        yield packet


def _expected(container: Any, stream: Any) -> int | None:
    """Return how many frames the index of a file lists; None where it has none of all frames."""
    if not stream.frames:
        return None
    entries = getattr(stream, "index_entries", None)
    if entries is None or not len(entries):
        return int(stream.frames)
    return sum(not entry.is_discard for entry in entries)


def _length(container: Any, stream: Any) -> int | None:
    """Return the number of frames that the length of a video tells of."""
    rate = _rate(stream)
    if not rate:
        return None
    if stream.duration:
        return max(1, round(stream.duration * stream.time_base * rate))
    if container.duration:
        return max(1, round(container.duration / av.time_base * rate))
    return None


def _rate(stream: Any) -> Any:
    return stream.average_rate or stream.guessed_rate or stream.base_rate


def _is_cover(stream: Any) -> bool:
    """Return whether a stream is the picture of a piece of music."""
    return "attached_pic" in str(stream.disposition).lower()


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
