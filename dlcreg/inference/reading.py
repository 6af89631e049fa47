"""Whatever holds images to frames that are read, by threads, ahead of their use."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from typing import Any, Literal

from dlcreg.errors import DlcregError
from dlcreg.inference.sources import Frame, frames_of
from dlcreg.inference.threads import mapped_ahead
from dlcreg.structures import Meta

logger = logging.getLogger("dlcreg")

OnError = Literal["raise", "nan"] | Callable[[Meta, DlcregError], object]
"""What happens with an image that cannot be read: an error, or no animal and a warning; a function
is told of it in place of the warning."""


def readable(images: Any, on_error: OnError) -> Iterator[Frame]:
    """Return the frames of images, read by threads.

    Args:
        images: see `frames_of`.
        on_error: what happens with one that cannot be read.

    Raises:
        ValueError: `on_error` is none of the kind.
        DataError: see `frames_of`.
    """
    if on_error not in ("raise", "nan") and not callable(on_error):
        raise ValueError(f"on_error must be 'raise', 'nan' or a function, not {on_error!r}")
    return _read(frames_of(images), on_error)


def _read(frames: Iterator[Frame], on_error: OnError) -> Iterator[Frame]:
    workers = min(4, os.cpu_count() or 1)
    for frame in mapped_ahead(Frame.read, frames, workers, 2 * workers):
        if frame.error is not None:
            _tell(frame, on_error)
        yield frame


def _tell(frame: Frame, on_error: OnError) -> None:
    assert frame.error is not None
    if on_error == "raise":
        raise frame.error
    if callable(on_error):
        on_error(frame.meta, frame.error)
    else:
        logger.warning("image %d is left out: %s", frame.meta.index, frame.error)
