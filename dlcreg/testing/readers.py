"""The checks of readers: all frames of a video, each with its number, time and pixels.

They are tried on a small MP4. A reader of other files names one of its own as the argument
``path``, see `dlcreg.testing.subject.Options`.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.contracts import Reader, VideoFrame
from dlcreg.errors import DataError
from dlcreg.testing.clips import FRAMES, clip, pictures
from dlcreg.testing.results import fail, skip
from dlcreg.testing.subject import Subject

_OFF = 25  # grey levels by which a codec may change a surface of one colour


def _path(subject: Subject) -> Path:
    return Path(subject.config["path"])


def _read(reader: Reader, start: int = 0) -> list[VideoFrame]:
    """Return the frames from a number on, checked one by one."""
    return [_checked(frame) for frame in reader.frames(start)]


def _checked(frame: Any) -> VideoFrame:
    if not isinstance(frame, VideoFrame):
        fail(
            f"yields a {type(frame).__name__}",
            "a VideoFrame",
            "Yield VideoFrame(index, time, image)",
        )
    image = frame.image
    if image is None:
        if not frame.error:
            fail(
                f"yields frame {frame.index} without an image and without a reason",
                "why it cannot be decoded, for the user is told",
                "Give VideoFrame.error",
            )
    elif not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] != (3,):
        fail(
            f"gives frame {frame.index} as {_shown(image)}",
            "uint8 of shape (H, W, 3), RGB",
            "Convert it: greys are repeated three times",
        )
    return frame


def _shown(image: Any) -> str:
    if not isinstance(image, np.ndarray):
        return type(image).__name__
    return f"{image.dtype} of shape {image.shape}"


def _differs(frame: VideoFrame, other: VideoFrame) -> str:
    """Return in what a frame is another one than before; empty where in nothing."""
    if frame.index != other.index:
        return f"number {other.index} instead of {frame.index}"
    if not np.array_equal(frame.time, other.time, equal_nan=True):
        return f"{other.time} s instead of {frame.time} s as the time of frame {frame.index}"
    if (frame.image is None) != (other.image is None):
        return f"frame {frame.index} once with an image and once without"
    if frame.image is not None and not np.array_equal(frame.image, other.image):  # type: ignore[arg-type]
        return f"other pixels in frame {frame.index}"
    return ""


def _same(frames: list[VideoFrame], others: list[VideoFrame]) -> str:
    """Return in what two lists of frames differ; empty where in nothing."""
    if len(frames) != len(others):
        return f"{len(others)} frames instead of {len(frames)}"
    found = (_differs(*pair) for pair in zip(frames, others, strict=True))
    return next((text for text in found if text), "")


def opens_by_its_path(subject: Subject) -> str:
    """The path of a file is enough to open it, and its name is enough to tell that it can."""
    needed = [name for name, one in subject.parameters.items() if one.required and name != "path"]
    if "path" not in subject.parameters or needed:
        fail(
            f"takes {', '.join(subject.parameters) or 'nothing'}",
            "'path', and all others with a default: commands give a reader nothing else",
            f"Give {needed[0]!r} a default" if needed else "Name the parameter of the file 'path'",
        )
    path = _path(subject)
    if not subject.cls.can_read(path.with_name(f"elsewhere{path.suffix}")):  # type: ignore[attr-defined]
        fail(
            f"says that it is not made for a file such as {path.name}, which it reads",
            "True: otherwise it is never asked",
            "Let `can_read` look at the suffix alone; the file need not be there",
        )
    with subject.cls(path) as video:  # as `open_video` does
        if video is None:
            fail("gives nothing to `with ... as`", "itself", "Leave __enter__ as it is")
    return path.suffix


def frames_in_order(subject: Subject) -> str:
    """Frames count from 0 without a gap, and their times rise."""
    with subject.build() as video:
        frames = _read(video)
    if not frames:
        fail("yields no frame", "at least one", "Refuse a file without frames in __init__")
    numbers = [frame.index for frame in frames]
    if numbers != list(range(len(frames))):
        fail(
            f"numbers its frames {numbers}",
            f"0 to {len(frames) - 1}, each once",
            "Count frames as they are shown; one that cannot be decoded is yielded, without image",
        )
    times = np.array([frame.time for frame in frames], float)
    if np.isnan(times).all():
        return f"{len(frames)} frames; their times are not known"
    if not (np.diff(times) > 0).all() or times[0] < 0:
        fail(
            f"gives its frames the times {times.round(3).tolist()}",
            "seconds from the beginning of the video, each later than the one before",
            "Yield frames in the order in which they are shown, not in which they are stored",
        )
    return f"{len(frames)} frames in {times[-1]:.2f} s"


def all_frames(subject: Subject) -> str:
    """It gives every frame, the right way up and in RGB."""
    if _path(subject) != clip():
        skip("what its own file shows is not known here: test it in the package")
    with subject.build() as video:
        frames = _read(video)
    if len(frames) != FRAMES or any(frame.image is None for frame in frames):
        fail(
            f"gives {sum(frame.image is not None for frame in frames)} images",
            f"the {FRAMES} of the video",
            "Ask the decoder for what it still holds when the file ends",
        )
    for frame, picture in zip(frames, pictures(), strict=True):
        image = np.asarray(frame.image)
        if image.shape != picture.shape:
            fail(f"gives images of {image.shape}", f"{picture.shape}", "Yield (H, W, 3)")
        places = (slice(12, None, 24), slice(16, None, 32))  # the middles of the four quarters
        seen, wanted = image[places].astype(int), picture[places]
        if np.abs(seen - wanted).max() > _OFF:
            fail(
                f"shows {seen.reshape(4, 3).tolist()} in the quarters of frame {frame.index}",
                f"about {wanted.reshape(4, 3).tolist()}",
                "Look for BGR, an image upside down, and frames in the order they are stored",
            )
    return f"{FRAMES} frames as they were written"


def info_is_true(subject: Subject) -> str:
    """`info` says what the frames are: path, size, number and rate."""
    with subject.build() as video:
        info, frames = video.info, _read(video)
    sizes = {frame.image.shape[:2] for frame in frames if frame.image is not None}
    if Path(info.path) != _path(subject):
        fail(f"has info.path {info.path}", f"{_path(subject)}", "Keep the path that it is given")
    if sizes - {tuple(info.size)}:
        fail(
            f"says that frames are {tuple(info.size)}, and gives {sorted(sizes)}",
            "height and width of frames as they are shown",
            "Mind their order, and a rotation that the file asks for",
        )
    if info.num_frames not in (None, len(frames)):
        fail(
            f"says that there are {info.num_frames} frames, and gives {len(frames)}",
            "their number; None where the file is silent",
            "Count from 0 to the last frame inclusive",
        )
    seconds = frames[-1].time - frames[0].time if frames else 0.0
    rate = (len(frames) - 1) / seconds if seconds > 0 else float("nan")
    if abs(rate / info.fps - 1) > 0.1:
        fail(
            f"says {info.fps:g} frames a second, and its times {rate:g}",
            "the same of both; NaN where the file is silent",
            "Times are seconds, and the rate is their mean",
        )
    return f"{len(frames)} frames of {info.size[0]} x {info.size[1]}, {info.fps:g} a second"


def begins_anywhere(subject: Subject) -> str:
    """From whatever frame it begins, the frames are those of a whole reading."""
    with subject.build() as video:
        frames = _read(video)
        count = len(frames)
        for start in sorted({0, 1, count // 2, max(0, count - 1), count}):
            wrong = _same(frames[start:], _read(video, start))
            if wrong:
                fail(
                    f"gives {wrong} when it begins at frame {start} of {count}",
                    "the same frames as a reading from 0 has from there on",
                    "A decoder that is sent to a place goes to a key frame: decode from there and "
                    "leave out what comes before `start`",
                )
    return f"the same from any of {count} frames on"


def frames_stay(subject: Subject) -> str:
    """An image that is kept stays what it was while others are read."""
    with subject.build() as video:
        frames, copies = [], []
        for frame in video.frames():
            frames.append(_checked(frame))
            copies.append(None if frame.image is None else frame.image.copy())
    for frame, copy in zip(frames, copies, strict=True):
        if copy is not None and not np.array_equal(frame.image, copy):  # type: ignore[arg-type]
            fail(
                f"changes the image of frame {frame.index} when it reads another",
                "an array of its own for each frame: they wait in a batch",
                "Yield a copy of the decoder's buffer",
            )
    return f"{len(frames)} images of their own"


def a_copy_reads_the_same(subject: Subject) -> str:
    """What a worker process is sent reads the same frames."""
    with subject.build() as video, pickle.loads(pickle.dumps(video)) as other:
        wrong = _same(_read(video), _read(other))
    if wrong:
        fail(
            f"gives {wrong} after pickling",
            "the same frames",
            "Keep the path, and open the file in `frames`",
        )
    return "the same"


def refuses_what_is_no_video(subject: Subject) -> str:
    """A file that is no video, is empty or is not there is a `DataError` when it is opened."""
    path = _path(subject)
    with tempfile.TemporaryDirectory() as folder:
        for what, content in _no_videos(path):
            file = Path(folder) / f"{what.replace(' ', '-')}{path.suffix}"
            if content is not None:
                file.write_bytes(content)
            try:
                reader = subject.cls(file)
            except DataError:
                continue
            except Exception as error:
                fail(
                    f"raises {type(error).__name__} for {what}: {error}",
                    "a DataError, which the user is told, and after which others are asked",
                    "Catch what the library raises: `raise DataError(...) from error`",
                )
            reader.close()
            fail(
                f"opens {what}",
                "a DataError in __init__: the next reader is asked then, or the user is told",
                "Decode the first frame, or read the header, in __init__",
            )
    return "DataError"


def _no_videos(path: Path) -> Iterator[tuple[str, bytes | None]]:
    yield "a text", b"this is no video\n" * 100
    yield "an empty file", b""
    yield "the beginning of a video", path.read_bytes()[:20]
    yield "no file", None


def closed_gives_nothing(subject: Subject) -> str:
    """After `close` no frame comes, neither of an iterator at work nor of a new one."""
    video = subject.build()
    at_work = video.frames()
    next(at_work, None)
    for _ in range(2):  # the second does no harm
        video.close()
    late = [frame.index for frame in (*at_work, *video.frames())]
    if late:
        fail(
            f"gives frames {late} after it was closed",
            "none",
            "Note in `close` that it is closed, and end `frames` where it is",
        )
    return "none"


CHECKS = (
    opens_by_its_path,
    frames_in_order,
    all_frames,
    info_is_true,
    begins_anywhere,
    frames_stay,
    a_copy_reads_the_same,
    refuses_what_is_no_video,
    closed_gives_nothing,
)
