"""The result that belongs to a video, by DeepLabCut's names."""

from __future__ import annotations

from pathlib import Path

from dlcreg.analysis.paths import is_track_name
from dlcreg.data.video import SUFFIXES
from dlcreg.errors import DataError

_FORMATS = (".h5", ".csv")  # the better one first
_OTHERS = ("_skeleton",)  # tables beside results that are none


def result_of(video: Path, folder: Path | None = None, filtered: bool = False) -> Path:
    """Return the file of the poses of a video, such as ``clipDLC_Resnet50_el.h5``.

    Tracks are taken rather than what they were made of, h5 rather than csv.

    Args:
        video: the video file.
        folder: where results lie; None: beside the video.
        filtered: take the filtered poses.

    Raises:
        DataError: there is none, or there are those of several scorers.
    """
    folder = video.parent if folder is None else folder
    found: dict[str, Path] = {}
    for suffix in _FORMATS:
        for path in sorted(folder.glob(f"*{suffix}")):
            mine = _video_of(path, video) and not path.stem.endswith(_OTHERS)
            if mine and path.stem.endswith("_filtered") == filtered:
                found.setdefault(path.stem, path)
    tracks = {stem: path for stem, path in found.items() if is_track_name(stem)}
    chosen = tracks or found
    if not chosen:
        kind = "filtered poses" if filtered else "poses"
        raise DataError(
            f"there are no {kind} of {video.name} in {folder or Path('.')}: analyse it first, or "
            "name the file of its poses (--result)"
        )
    if len(chosen) > 1:
        names = ", ".join(path.name for path in chosen.values())
        raise DataError(
            f"{video.name} has the poses of several models: {names}. Name one: --result"
        )
    return next(iter(chosen.values()))


def _video_of(path: Path, video: Path) -> bool:
    """Return whether a result is of this video, and not of one whose longer name begins so."""
    if not path.name.startswith(video.stem) or path.name.startswith("."):
        return False
    beside = (other for other in video.parent.iterdir() if other.suffix.lower() in SUFFIXES)
    longer = [one.stem for one in beside if len(one.stem) > len(video.stem)]
    return not any(path.name.startswith(stem) for stem in longer)
