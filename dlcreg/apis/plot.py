"""From a result file to figures of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcreg.analysis.plots import plot_track, tracks_of
from dlcreg.analysis.reading import read_recording
from dlcreg.data.video import SUFFIXES, open_video
from dlcreg.errors import DataError, DlcregError
from dlcreg.recording import Recording


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
        DataError: the result or the video cannot be read, or there is no such individual.
        DlcregError: `pcutoff` is out of range, or a figure cannot be written.
    """
    if not 0 <= pcutoff <= 1:
        raise DlcregError(f"pcutoff={pcutoff:g}: a likelihood lies between 0 and 1")
    result = Path(result)
    recording = read_recording(result)
    path = Path(video) if video is not None else video_of(result, recording)
    image = None if path is None else _first_frame(path, asked=video is not None)
    name = path.stem if path is not None else result.stem.split("DLC")[0] or result.stem
    folder = Path(out) if out is not None else result.parent / "plot-poses" / name
    tracks = tracks_of(recording)
    unknown = set(individuals) - {track.name for track in tracks}
    if unknown:
        known = ", ".join(track.name for track in tracks if track.name) or "a single one"
        raise DataError(f"there is no individual {min(unknown)!r} in {result}; there is {known}")
    marks = result.stem.removeprefix(name).removeprefix(recording.scorer)
    written = []
    for track in tracks:
        if not individuals or track.name in individuals:
            suffix = f"{marks}{'-' if track.name else ''}{track.name}"
            written += plot_track(folder, suffix, track, recording, pcutoff, image)
    return written


def video_of(result: Path, recording: Recording) -> Path | None:
    """Return the video that a result is of, beside it or where it says; None if it is gone."""
    named = recording.video.path if recording.video is not None else None
    if named is not None:
        for path in (result.parent / named.name, named):
            if path.is_file():
                return path
    beside = [
        path
        for path in result.parent.iterdir()
        if path.suffix.lower() in SUFFIXES
        and result.name.startswith(path.stem)
        and not path.stem.endswith("_labeled")
    ]
    return max(beside, key=lambda path: len(path.stem), default=None)


def _first_frame(path: Path, asked: bool) -> np.ndarray | None:
    try:
        with open_video(path) as reader:
            return next((f.image for f in reader.frames() if f.image is not None), None)
    except DataError:
        if asked:
            raise
    return None
