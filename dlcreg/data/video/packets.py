"""The packets of a video: which frame is which, and where decoding can begin."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_RESTARTS = frozenset({"h264", "hevc", "av1", "vp8", "vp9", "mjpeg"})
"""Codecs whose decoders give the same pixels when they begin at a key frame. Others remember more
from the beginning of the file, such as MPEG-4 which encoder has made it."""


def is_frame(packet: Any) -> bool:
    """Return whether a packet holds a frame that is shown: not the end, not cut off by an edit."""
    return bool(packet.size) and not packet.is_discard


class Numbering:
    """Which frame is which, in the order in which they are shown.

    A decoder that fails on a packet gives no frame for it. Each packet says when its frame is
    shown, so that the frames that are missing are known as soon as a later one comes.

    Args:
        first: number of the first frame to come.
    """

    def __init__(self, first: int = 0) -> None:
        self.next = first
        self._awaited: list[int] = []
        self._latest: int | None = None

    @property
    def awaits(self) -> bool:
        """Whether there are packets whose frames have not come."""
        return bool(self._awaited)

    def sent(self, time: int | None) -> None:
        """Note a packet that was given to the decoder.

        Args:
            time: when its frame is shown; None where the file does not say.
        """
        if time is not None:
            heapq.heappush(self._awaited, time)

    def is_late(self, time: int | None) -> bool:
        """Return whether a frame comes after one that is shown later, as after damage."""
        return time is not None and self._latest is not None and time < self._latest

    def missing(self, time: float | None) -> Iterator[tuple[int, int]]:
        """Yield number and time of each frame that is missing before a time."""
        while self._awaited and time is not None and self._awaited[0] < time:
            yield self.count(), heapq.heappop(self._awaited)

    def count(self, time: int | None = None) -> int:
        """Return the number of the frame that comes now, which is shown at a time."""
        if time is not None:
            self._latest = time
            if self._awaited and self._awaited[0] == time:
                heapq.heappop(self._awaited)
        self.next += 1
        return self.next - 1


def continuous(packets: Iterable[Any]) -> Iterator[Any]:
    """Yield packets; where their time jumps back, as in files put together, it goes on instead."""
    shift, last = 0, None
    for packet in packets:
        if packet.dts is not None and packet.size:
            if last is not None and (last - packet.dts - shift) * packet.time_base > 1:
                shift = last + 1 - packet.dts
            last = packet.dts + shift
        if shift and packet.size:
            packet.dts = None if packet.dts is None else packet.dts + shift
            packet.pts = None if packet.pts is None else packet.pts + shift
        yield packet


@dataclass(frozen=True)
class Beginning:
    """Where to begin decoding.

    Args:
        skipped: packets, in the order of the file, that are not decoded.
        number: of the first frame that is shown of the packets that follow.
        time: when it is shown; what is shown before it is left out. None: everything counts.
    """

    skipped: int = 0
    number: int = 0
    time: int | None = None


def beginning(packets: Iterable[Any], codec: str, start: int) -> Beginning:
    """Return where decoding is to begin so that frame `start` is what it is in an unbroken read.

    That is the key frame before the last one before it, or the beginning of the file where nothing
    else is certain to be the same.

    Args:
        packets: all of a video, in the order of the file.
        codec: its name.
        start: number of a frame.
    """
    if codec not in _RESTARTS or start == 0:
        return Beginning()
    rows = [(p.pts, p.is_keyframe) for p in packets if is_frame(p)]
    if not rows or any(time is None for time, _ in rows):
        return Beginning()
    times = np.array([time for time, _ in rows])
    keys = np.flatnonzero([key for _, key in rows])
    target = np.sort(times)[min(start, len(times) - 1)]
    earlier = np.maximum.accumulate(times)  # the latest time up to a packet
    later = np.minimum.accumulate(times[::-1])[::-1]  # the earliest time from a packet on
    good = [k for k in keys.tolist() if k > 0 and times[k] <= target and earlier[k - 1] < later[k]]
    if len(good) < 2:
        return Beginning()
    return Beginning(good[-2], good[-2], int(later[good[-2]]))
