"""Frames to a video that browsers play."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError

from dlcreg.errors import DlcregError
from dlcreg.files import written_whole

ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf")
"""Encoders of H.264, the best one first; which of them there are is up to how PyAV was built."""

_BT601, _LIMITED = 6, 1  # how `encodable` makes colours, as FFmpeg numbers it
_CLOCK = Fraction(1, 90_000)  # seconds; fine enough for every frame rate in use


def encodable(image: np.ndarray) -> av.VideoFrame:
    """Return an image, uint8 ``(H, W, 3)`` RGB, as H.264 takes it.

    Sides become even: where one is odd, its last row or column comes twice.
    """
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    planes: Any = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)  # a third of FFmpeg's time
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def write_video(path: Path, frames: Iterable[tuple[av.VideoFrame, float]], fps: float) -> int:
    """Write frames as H.264, whole or not at all, and return their number.

    Args:
        path: the MP4 file.
        frames: what `encodable` gives, each with its time in seconds; times that do not grow are
            moved behind the one before. Frames are of one size.
        fps: frames per second, for the length of the last frame.

    Raises:
        DlcregError: the file cannot be written, or PyAV has no encoder of H.264.
    """
    count, last, step = 0, -1, max(1, round(1 / (fps * _CLOCK)))
    with written_whole(path) as temporary:
        try:
            with av.open(
                str(temporary), "w", format="mp4", options={"movflags": "+faststart"}
            ) as out:
                stream = None
                for frame, time in frames:
                    if stream is None:
                        stream = _stream(out, frame, fps)
                    last = max(round(time / _CLOCK), last + 1)
                    frame.pts, frame.time_base, frame.duration = last, _CLOCK, step
                    out.mux(stream.encode(frame))
                    count += 1
                if stream is not None:
                    out.mux(stream.encode())
        except FFmpegError as error:
            raise DlcregError(f"{path} cannot be written: {error.strerror or error}") from error
    return count


def _stream(out: Any, frame: av.VideoFrame, fps: float) -> Any:
    name = next((name for name in ENCODERS if _has(name)), None)
    if name is None:
        raise DlcregError(
            f"PyAV was built without an encoder of H.264 ({', '.join(ENCODERS)}): install its "
            "wheel, pip install --force-reinstall --only-binary av av"
        )
    stream = out.add_stream(name, rate=Fraction(fps).limit_denominator(1001))
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
    context = stream.codec_context
    context.time_base = _CLOCK
    context.max_b_frames = 0  # which would make a file of variable rate end too early
    context.colorspace, context.color_range = _BT601, _LIMITED
    if name == "libx264":
        context.options = {"preset": "veryfast", "crf": "20", "bf": "0"}
    else:
        stream.bit_rate = round(0.15 * frame.width * frame.height * fps)
    return stream


def _has(name: str) -> bool:
    try:
        av.Codec(name, "w")
    except (ValueError, FFmpegError):
        return False
    return True
