"""Small videos of every kind, made for a test."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

_IN_FRAMES = ("mpeg4", "mpeg2video", "mjpeg")  # which count time in frames


def make_video(
    path: Path,
    frames: int | Sequence[np.ndarray] = 20,
    size: tuple[int, int] = (48, 64),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: Sequence[int] | None = None,
    rotated: dict[str, Any] | None = None,
    movflags: str = "",
    **options: str,
) -> Path:
    """Write a video of 25 frames a second; each of its frames differs from all others.

    Args:
        path: the file; its suffix says what kind it is.
        frames: their number, or the pictures.
        size: height and width.
        codec: name of FFmpeg's encoder.
        pix_fmt: how pixels are stored.
        times: milliseconds of each frame, where they do not follow one another evenly.
        rotated: arguments of `VideoStream.set_display_rotation`.
        movflags: of the container.
        options: of the encoder, such as ``g`` for the distance of key frames.
    """
    if isinstance(frames, int):
        noise = np.random.default_rng(0).integers(0, 255, (size[0] // 8 + 1, size[1] // 8 + 1, 3))
        ground = np.kron(noise, np.ones((8, 8, 1))).astype(np.uint8)[: size[0], : size[1]]
        frames = [np.roll(ground, 2 * i, axis=1) for i in range(frames)]
    unit = 40 if codec in _IN_FRAMES else 1
    base = Fraction(unit, 1000)
    with av.open(str(path), "w", options={"movflags": movflags} if movflags else {}) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = pix_fmt, base
        if rotated:
            stream.set_display_rotation(**rotated)
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix_fmt)
            frame.pts = (times[index] if times else 40 * index) // unit
            frame.time_base = base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def packets_of(path: Path) -> list[tuple[int, int, int]]:
    """Return of each packet when it is shown, where it is in the file, and how long it is."""
    with av.open(str(path)) as container:
        found = [(p.pts, p.pos, p.size) for p in container.demux(video=0) if p.size]
    return found


def damage(path: Path, *packets: int) -> list[int]:
    """Overwrite packets, numbered in the order of the file; return the frames that they hold."""
    rows, data = packets_of(path), bytearray(path.read_bytes())
    order = sorted(time for time, *_ in rows)
    for packet in packets:
        _, position, size = rows[packet]
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    return sorted(order.index(rows[packet][0]) for packet in packets)
