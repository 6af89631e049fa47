"""From a result file to figures of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcreg.analysis.belonging import video_of
from dlcreg.analysis.cutoffs import warn_of_cutoff
from dlcreg.analysis.plots import plot_track, tracks_of
from dlcreg.analysis.reading import read_recording
from dlcreg.data.video import open_video
from dlcreg.errors import DataError, DlcregError


def plot_result(
    result: str | Path,
    *,
    video: str | Path | None = None,
    pcutoff: float = 0.6,
    individuals: tuple[str, ...] = (),
    out: str | Path | None = None,
) -> list[Path]:
    """Draw trajectories, coordinates and likelihoods over time and jumps of each animal.

    Args:
        result: a file that `read_recording` reads.
        video: what the trajectories are drawn over the first frame of; None: the video beside the
            result, or that it names, if it is there.
        pcutoff: likelihood below which a point counts as missing.
        individuals: whom to draw; none: everyone.
        out: folder of the figures; None: ``plot-poses/<video>`` beside the result, as DeepLabCut
            has it.

    Returns:
        the PNG files.

    Raises:
        DataError: the result or the video cannot be read, they do not belong together, or there is
            no such individual.
        DlcregError: `pcutoff` is out of range, or a figure cannot be written.
    """
    if not 0 <= pcutoff <= 1:
        raise DlcregError(f"pcutoff={pcutoff:g}: a likelihood lies between 0 and 1")
    result = Path(result)
    recording = read_recording(result)
    path = video_of(result, recording, video)
    image = None if path is None else _first_frame(path)
    warn_of_cutoff(recording, pcutoff)
    name, marks = _name_and_marks(result.stem, recording.scorer, path)
    folder = Path(out) if out is not None else result.parent / "plot-poses" / name
    tracks = tracks_of(recording)
    unknown = set(individuals) - {track.name for track in tracks}
    if unknown:
        known = ", ".join(track.name for track in tracks if track.name) or "a single one"
        raise DataError(f"there is no individual {min(unknown)!r} in {result}; there is {known}")
    written = []
    for track in tracks:
        if not individuals or track.name in individuals:
            suffix = f"{marks}{'-' if track.name else ''}{track.name}"
            written += plot_track(folder, suffix, track, recording, pcutoff, image)
    return written


def _name_and_marks(stem: str, scorer: str, video: Path | None) -> tuple[str, str]:
    """Return the name of the video in a result's, and what follows on the scorer, as ``_el``.

    >>> _name_and_marks("clipDLC_X_el", "DLC_X", Path("copy.mp4"))
    ('clip', '_el')
    """
    name = video.stem if video is not None else ""
    if not name or not stem.startswith(name):  # a copy of the video may have any name
        name = stem.split("DLC")[0] or stem
    marks = stem.removeprefix(name).removeprefix(scorer)
    return name, f"_{marks}" if marks[:1].isalnum() else marks


def _first_frame(path: Path) -> np.ndarray | None:
    with open_video(path) as reader:
        return next((f.image for f in reader.frames() if f.image is not None), None)
