"""A video to the reader that reads it."""

from __future__ import annotations

import logging
from pathlib import Path

from dlcreg.contracts import Reader
from dlcreg.data.video.files import NotAVideoError, check_file
from dlcreg.errors import DataError, DlcregError
from dlcreg.registry import READERS

logger = logging.getLogger("dlcreg")

_FIRST, _LAST = "PyAVReader", "OpenCVReader"


def open_video(path: str | Path, reader: str | type[Reader] | None = None) -> Reader:
    """Open a video for reading.

    Args:
        path: the file.
        reader: a name of READERS, or a class. None: PyAV; where it cannot, whatever plug-in can,
            and OpenCV last.

    Returns:
        the reader, to be closed by the caller.

    Raises:
        DataError: the file is not there, empty, no video, or cannot be read.
        PluginError: there is no such reader.
    """
    path = Path(path)
    check_file(path)
    if reader is not None:
        return _opened(reader, path)
    try:
        return _opened(_FIRST, path)
    except DataError as error:
        others = [name for name in READERS.names() if name not in (_FIRST, _LAST)]
        for name in others if isinstance(error, NotAVideoError) else [*others, _LAST]:
            try:
                if READERS.get(name).can_read(path):  # type: ignore[attr-defined]
                    opened = _opened(name, path)
                    logger.warning("%s. %s reads it.", error, name)
                    return opened
            except DlcregError as other:
                logger.debug("%s cannot read %s: %s", name, path, other)
        raise


def _opened(reader: str | type[Reader], path: Path) -> Reader:
    return READERS.get(reader)(path)  # type: ignore[no-any-return]
