"""Which files are videos, as far as this can be told without a decoder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dlcreg.errors import DataError

SUFFIXES = (
    ".avi", ".flv", ".h264", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
    ".ogv", ".ts", ".webm", ".wmv",
)  # fmt: skip
"""What videos of a folder are told by."""


class NotAVideoError(DataError):
    """A file that is missing, empty or of a kind that is known not to be a video."""


def check_file(path: Path) -> None:
    """Check that there is something to read.

    Raises:
        NotAVideoError: there is no such file, it is a folder, empty, or may not be read.
    """
    if path.is_dir():
        raise NotAVideoError(f"{path} is a folder; a video file is wanted here")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise NotAVideoError(f"{path} is empty: copy or record it again")
    except FileNotFoundError:
        raise NotAVideoError(f"there is no video {path}") from None
    except OSError as error:
        raise NotAVideoError(f"{path} cannot be read: {error.strerror or error}") from error


def videos_in(paths: Iterable[str | Path]) -> list[Path]:
    """Return the video files that files and folders mean, each once.

    Args:
        paths: a file is taken whatever its name; of a folder those whose names end as those of
            videos do, and not those of the folders in it, sorted by name.

    Raises:
        DataError: nothing is there by a name, or a folder holds no video.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if path.is_dir():
            files = [file for file in sorted(path.iterdir()) if _is_video(file)]
            if not files:
                raise DataError(f"the folder {path} holds no video ({', '.join(SUFFIXES)})")
        elif path.exists():
            files = [path]
        else:
            raise NotAVideoError(f"there is no video {path}")
        for file in files:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _is_video(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return path.suffix.lower() in SUFFIXES and path.is_file() and not hidden
