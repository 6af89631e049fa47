"""Whether a video is the one whose poses a result holds."""

from __future__ import annotations

import logging
from pathlib import Path

from dlcreg.data.video import SUFFIXES, open_video
from dlcreg.errors import DataError
from dlcreg.recording import Recording, VideoInfo

logger = logging.getLogger("dlcreg")


def check_video(
    recording: Recording, result: Path, video: VideoInfo, *, whole: bool = False
) -> None:
    """Refuse a video that cannot be the one of a result.

    Its frames must have the size, and the number, that the result says of its video; a copy may
    have another name. Of a result that says nothing, as those of DeepLabCut, no rows may be beyond
    the end of the video. Numbers of frames are those that files tell of themselves, which may be
    wrong: a hundredth more or less, and one frame, is let through.

    Args:
        recording: what the result holds.
        result: its file, for messages.
        video: what is known of the video.
        whole: a result that says nothing must have a row of each frame.

    Raises:
        DataError: it is another video; both values are named.
    """
    made, number = recording.video, video.num_frames
    if made is not None and made.size != video.size:
        raise DataError(
            f"{result} is of {made.path.name}, whose frames are {_shown(made.size)}; those of "
            f"{video.path} are {_shown(video.size)}: they do not belong together"
        )
    if number is None:
        return
    if made is not None and made.num_frames is not None:
        if _differ(made.num_frames, number):
            raise DataError(
                f"{result} is of {made.path.name}, which has {made.num_frames} frames; "
                f"{video.path} has {number}: they do not belong together"
            )
        return
    rows = len(recording)
    in_part = not whole or "frames" in recording.provenance
    if _differ(rows, number) and (rows > number or not in_part):
        raise DataError(
            f"{result} has {rows} frames and {video.path} {number}: they do not belong together"
        )


def video_of(result: Path, recording: Recording, given: str | Path | None = None) -> Path | None:
    """Return the video that a result is of.

    Args:
        result: the file.
        recording: what it holds.
        given: the video, where the caller knows it; None: what lies beside the result by its name,
            or where the result says; what is another one there is passed over with a warning.

    Returns:
        its path; None where it is gone.

    Raises:
        DataError: `given` cannot be read, or is another video.
    """
    if given is not None:
        with open_video(Path(given)) as reader:
            check_video(recording, result, reader.info)
        return Path(given)
    for path in _candidates(result, recording):
        try:
            return video_of(result, recording, path)
        except DataError as error:
            logger.warning("%s is left out: %s", path, error)
    return None


def _candidates(result: Path, recording: Recording) -> list[Path]:
    """Return the videos that may be the one of a result, the likeliest first."""
    named = recording.video.path if recording.video is not None else None
    first = [] if named is None else [result.parent / named.name, named]
    beside = [
        path
        for path in result.parent.iterdir()
        if path.suffix.lower() in SUFFIXES
        and result.name.startswith(path.stem)
        and not path.stem.endswith("_labeled")
    ]
    beside.sort(key=lambda path: (-len(path.stem), path.name))
    return [path for path in dict.fromkeys([*first, *beside[:1]]) if path.is_file()]


def _shown(size: tuple[int, int]) -> str:
    """Return height, width as people say them.

    >>> _shown((480, 640))
    '640 x 480'
    """
    return f"{size[1]} x {size[0]}"


def _differ(one: int, other: int) -> bool:
    return abs(one - other) > 0.01 * other + 1
