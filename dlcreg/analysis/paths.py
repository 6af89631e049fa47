"""Where the results of a video lie: names as DeepLabCut's tools look for them."""

from __future__ import annotations

from pathlib import Path

TRACK_CODES = {"ellipse": "el", "box": "bx", "skeleton": "sk", "ctd": "ctd", "transformer": "tr"}
"""DeepLabCut's names of ways to track, and the codes that its file names have for them."""


def result_path(
    folder: str | Path,
    stem: str,
    scorer: str,
    suffix: str,
    tracked: str = "",
    filtered: bool = False,
) -> Path:
    """Return the path of a result, such as ``clipDLC_Resnet50_el_filtered.h5``.

    Files whose suffix begins with an underscore (``_meta.pickle``) are of the video, whatever
    became of its poses, and have neither of the two marks.

    Args:
        folder: where results lie.
        stem: name of the video without its suffix.
        scorer: name of the model as file names have it.
        suffix: `Writer.suffix`.
        tracked: how animals were followed, by name or code (`TRACK_CODES`); empty for poses that
            are not tracks, and for those of a single animal.
        filtered: whether the poses were filtered.

    >>> str(result_path("out", "clip", "DLC_X", ".h5", tracked="ellipse"))
    'out/clipDLC_X_el.h5'
    """
    marks = ""
    if not suffix.startswith("_"):
        marks = f"_{TRACK_CODES.get(tracked, tracked)}" if tracked else ""
        marks += "_filtered" if filtered else ""
    return Path(folder) / f"{stem}{scorer}{marks}{suffix}"


def is_track_name(stem: str) -> bool:
    """Return whether a file name without suffix says that it holds tracks."""
    stem = stem.removesuffix("_filtered")
    return any(stem.endswith(f"_{code}") for code in (*TRACK_CODES.values(), "tracks"))
