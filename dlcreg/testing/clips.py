"""A small video to try readers on."""

from __future__ import annotations

import functools
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FRAMES = 12
FPS = 25
SIZE = (48, 64)


def pictures() -> np.ndarray:
    """Return the frames of `clip`, uint8 ``(F, H, W, 3)`` RGB.

    The ground becomes lighter from frame to frame, the quarter at the top left is red, and that at
    the bottom right blue.
    """
    height, width = SIZE
    images = np.empty((FRAMES, height, width, 3), np.uint8)
    images[:] = (20 + 15 * np.arange(FRAMES))[:, None, None, None]
    images[:, : height // 2, : width // 2] = 200, 30, 30
    images[:, height // 2 :, width // 2 :] = 30, 30, 200
    return images


@functools.cache
def clip() -> Path:
    """Return an MP4 of `pictures` in H.264, which is there as long as this process.

    It has key frames on the way, and frames that are stored in another order than they are shown.
    """
    _folders.append(tempfile.TemporaryDirectory())
    path = Path(_folders[-1].name) / "clip.mp4"
    with av.open(str(path), "w") as container:
        options = {"crf": "10", "g": "4", "bf": "2"}
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for image in pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


_folders: list[tempfile.TemporaryDirectory[str]] = []
