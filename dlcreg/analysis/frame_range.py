"""Which frames of a video are looked at: from one to another, told by number or by time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import islice

from dlcreg.contracts import Reader
from dlcreg.errors import DataError

Moment = int | str
"""The number of a frame, or a time from the beginning of the video: ``"90s"``, ``"1:30"``,
``"0:01:30.5"``."""

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)(s?)")
_CLOSE = 1e-4  # seconds by which a frame may come early


@dataclass(frozen=True)
class FrameRange:
    """The frames from one moment to another.

    Args:
        start: the first frame, or the time before which none is looked at; None: the first of the
            video.
        stop: the frame before which the range ends, or the time from which on none is looked at;
            None: the end of the video.

    Raises:
        ValueError: a moment that is none, or the second is not after the first.
    """

    start: Moment | None = None
    stop: Moment | None = None

    def __post_init__(self) -> None:
        start, stop = _parsed("start", self.start), _parsed("stop", self.stop)
        alike = isinstance(start, int) == isinstance(stop, int)
        if stop is not None and ((alike and stop <= (start or 0)) or not stop):
            raise ValueError(f"start={self.start}, stop={self.stop}: nothing lies between them")

    def of(self, reader: Reader) -> tuple[int, int | None]:
        """Return the numbers of the first frame and of the one after the last; None: the end.

        Raises:
            DataError: nothing lies between them, or times are asked for and the video has none.
        """
        start, stop = (
            frame_at(reader, moment) if isinstance(moment, float) else moment
            for moment in (_parsed("start", self.start), _parsed("stop", self.stop))
        )
        if stop is not None and stop <= (start or 0):
            raise DataError(
                f"{reader.info.path}: from {self.start or 0} (frame {start or 0}) to {self.stop} "
                f"(frame {stop}) there are no frames"
            )
        return start or 0, stop


def frame_at(reader: Reader, seconds: float) -> int:
    """Return the number of the first frame that is shown at a time or later.

    Few frames are decoded, also of a video of variable rate. Beyond the end it is the number of
    frames of the video.

    Raises:
        DataError: the video does not say when its frames are shown.
    """

    def is_late(number: int) -> bool:
        for frame in islice(reader.frames(number), 1):
            if math.isnan(frame.time):
                raise DataError(
                    f"{reader.info.path} does not say when its frames are shown: give numbers of "
                    "frames for start and stop"
                )
            return frame.time >= seconds - _CLOSE
        return True

    fps = reader.info.fps
    early, late, step = -1, None, 1
    number = round(seconds * fps) if math.isfinite(fps) else 0
    while late is None or late - early > 1:
        if is_late(number):
            late = number
        else:
            early = number
        # ever longer steps away from the guess, and halves once both sides are known
        number = early + step if late is None else max((early + late) // 2, late - step)
        step *= 2
    return late


def _parsed(name: str, moment: Moment | None) -> int | float | None:
    """Return a moment as a frame's number, an int, or as seconds, a float."""
    if isinstance(moment, int) and not isinstance(moment, bool) and moment >= 0:
        return moment
    match = _TIME.fullmatch(moment.strip()) if isinstance(moment, str) else None
    if moment is not None and match is None:
        raise ValueError(
            f"{name}={moment!r}: give the number of a frame, or a time such as '90s' or '1:30'"
        )
    if match is None:
        return None
    hours, minutes, seconds, unit = match.groups()
    if minutes is None and not unit:
        if not seconds.isdigit():
            raise ValueError(f"{name}={moment!r}: give a whole frame, or a time: '{seconds}s'")
        return int(seconds)
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes or 0) + float(seconds)
