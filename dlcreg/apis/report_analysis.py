"""The report of an analysis: the poses of a video, in one page."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.analysis.belonging import video_of
from dlcreg.analysis.cutoffs import warn_of_cutoff
from dlcreg.analysis.painting import Painter
from dlcreg.analysis.plots import Track, plot_track, tracks_of
from dlcreg.analysis.reading import read_recording
from dlcreg.apis.report_page import Picture, Section, Table, photograph
from dlcreg.contracts import VideoFrame
from dlcreg.data.video import open_video
from dlcreg.recording import Recording

_CAPTIONS = {
    "trajectory": "ways of the likely keypoints",
    "plot": "x and y over time",
    "plot-likelihood": "likelihood over time, and how it is spread",
    "hist": "ways from one frame to the next",
}


def analysis_sections(
    result: Path, *, video: str | Path | None = None, pcutoff: float = 0.6, worst: int = 8
) -> tuple[str, list[Section]]:
    """Return what there is to say of the poses of a video, as a line and sections.

    Args:
        result: a file that `read_recording` reads.
        video: that it is of; None: found beside it, and left out if there is none.
        pcutoff: likelihood from which a point counts as found.
        worst: how many of the least likely frames are shown.

    Raises:
        DataError: the result or the video cannot be read, or they do not belong together.
    """
    recording = read_recording(result)
    path = video_of(result, recording, video)
    warn_of_cutoff(recording, pcutoff)
    begin, shown = _frames(path, recording, pcutoff, worst)
    tracks = tracks_of(recording)
    first, stop = recording.asked
    lost = 0 if recording.readable is None else int((~recording.readable[first:stop]).sum())
    lead = f"{result.name}: {stop - first} frames"
    lead += f" from number {first} on" if first else ""
    lead += f", scorer {recording.scorer}"
    lead += f", {lost} frames could not be read" if lost else ""
    sections = [_keypoints(tracks_of(recording.part(first, stop)), pcutoff)]
    sections += [_figures(track, recording, pcutoff, begin) for track in tracks]
    if shown:
        text = "Frames with the lowest mean likelihood, each at least a second from the others."
        sections.append(Section("Least likely frames", text, pictures=shown))
    facts = {"Origin of the poses": json.dumps(dict(recording.provenance), indent=2, default=str)}
    sections.append(Section("Origin", facts=facts))
    return lead, sections


def _keypoints(tracks: list[Track], pcutoff: float) -> Section:
    columns = ["keypoint", "found, %", f"likelihood ≥ {pcutoff:g}, %", "mean likelihood"]
    columns += ["median way, px", "99 %, px"]
    tables = []
    for track in tracks:
        rows: list[list[Any]] = []
        for k, name in enumerate(track.names):
            found = np.isfinite(track.keypoints[:, k]).all(axis=-1)
            likely = found & (track.scores[:, k] >= pcutoff)
            ways = np.linalg.norm(np.diff(track.keypoints[:, k], axis=0), axis=-1)
            ways = ways[likely[1:] & likely[:-1]]
            spread = np.percentile(ways, (50, 99)).tolist() if len(ways) else [None, None]
            mean = float(track.scores[found, k].mean()) if found.any() else None
            shares = [100 * float(some.mean()) if len(some) else None for some in (found, likely)]
            rows.append([name, *shares, mean, *spread])
        tables.append(Table(track.name or "the animal", columns, rows))
    text = "The way is that from one frame to the next, between likely points."
    return Section("Keypoints", text, tables)


def _figures(
    track: Track, recording: Recording, pcutoff: float, image: np.ndarray | None
) -> Section:
    with tempfile.TemporaryDirectory() as folder:
        drawn = plot_track(Path(folder), "", track, recording, pcutoff, image)
        pictures = [photograph(path, _CAPTIONS[path.stem], 1400) for path in drawn]
    return Section(f"Figures: {track.name}" if track.name else "Figures", pictures=pictures)


def _frames(
    path: Path | None, recording: Recording, pcutoff: float, count: int
) -> tuple[np.ndarray | None, list[Picture]]:
    """Return the first frame of the video, and the least likely ones with their poses."""
    if path is None:
        return None, []
    with open_video(path) as reader:
        wanted = _least_likely(recording, count, reader.info.fps)
        painter = Painter(recording, reader.info.size, pcutoff=pcutoff, skeleton=True)
        first: np.ndarray | None = None
        kept: list[VideoFrame] = []
        last = max(wanted, default=0)
        for frame in reader.frames():
            if first is None and frame.image is not None:
                first = frame.image.copy()
            if frame.index in wanted and frame.image is not None:
                kept.append(frame)
            if frame.index >= last and first is not None:
                break
    pictures = []
    for frame in sorted(kept, key=lambda frame: wanted[frame.index]):
        assert frame.image is not None
        painter.paint(frame.image, frame.index)
        caption = f"frame {frame.index}, {frame.time:.2f} s: mean {wanted[frame.index]:.2f}"
        pictures.append(photograph(frame.image, caption))
    return first, pictures


def _least_likely(recording: Recording, count: int, fps: float) -> dict[int, float]:
    """Return the frames with the lowest mean likelihood, and that, by their number.

    Of those that could not be read, or were not asked for, there is nothing to see.
    """
    if not recording.scores.size:
        return {}
    means = recording.scores.mean(axis=(1, 2))
    if recording.readable is not None:
        means = np.where(recording.readable, means, np.inf)
    apart = max(1, round(fps)) if np.isfinite(fps) else 25
    chosen: dict[int, float] = {}
    for frame in np.argsort(means, kind="stable").tolist():
        if len(chosen) == count or not np.isfinite(means[frame]):
            break
        if all(abs(frame - other) >= apart for other in chosen):
            chosen[frame] = float(means[frame])
    return chosen
