"""Where the keypoints of a video went, when, and how likely: one figure for each question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dlcreg.analysis.colours import keypoint_colours
from dlcreg.files import written_whole
from dlcreg.recording import Recording

_COLUMNS = 2000  # as many points of a line as can be told apart in a picture
_DPI = 120


@dataclass(frozen=True)
class Track:
    """The points of one animal, or the unique body parts.

    Args:
        name: of the individual; empty for the animal of a video with a single one.
        keypoints: float ``(F, K, 2)``, NaN where missing.
        scores: float ``(F, K)``.
        names: of the keypoints.
        first: number of the first keypoint among all that have a colour.
    """

    name: str
    keypoints: np.ndarray
    scores: np.ndarray
    names: Sequence[str]
    first: int = 0


def tracks_of(recording: Recording) -> list[Track]:
    """Return what is drawn apart: each row, named if it is tracked, and the unique body parts.

    These are called ``single``, as in DeepLabCut's tables.
    """
    rows, count = recording.scores.shape[1:]
    names = recording.individuals if recording.tracked and rows > 1 else ()
    tracks = [
        Track(
            names[row] if row < len(names) else "" if rows == 1 else f"row{row + 1}",
            recording.keypoints[:, row],
            recording.scores[:, row],
            recording.info.keypoint_names,
        )
        for row in range(rows)
    ]
    if recording.unique is not None and recording.info.unique is not None:
        points = recording.unique
        names = recording.info.unique.keypoint_names
        tracks.append(Track("single", points[..., :2], points[..., 2], names, count))
    return tracks


def plot_track(
    folder: Path,
    suffix: str,
    track: Track,
    recording: Recording,
    pcutoff: float = 0.6,
    image: np.ndarray | None = None,
) -> list[Path]:
    """Draw a track as PNG files with DeepLabCut's names, and return them.

    ``trajectory`` is the way of each likely keypoint, over a frame of the video; ``plot`` x and y
    over time; ``plot-likelihood`` the likelihood over time and how it is spread; ``hist`` the
    lengths of the jumps from frame to frame. A line of more frames than the picture has columns is
    drawn as the range that it covers in each.

    Args:
        folder: where the files go.
        suffix: what their names end with, before ``.png``.
        track: see `tracks_of`.
        recording: that the track is of.
        pcutoff: likelihood below which a point counts as missing; likelihoods are all shown.
        image: uint8 ``(H, W, 3)`` RGB, a frame; None: none is shown.
    """
    unique = 0 if recording.unique is None else recording.unique.shape[1]
    colours = keypoint_colours(recording.info.num_keypoints + unique)
    colours = colours[track.first : track.first + len(track.names)]
    likely = np.where((track.scores >= pcutoff)[..., None], track.keypoints, np.nan)
    times, unit = _times(recording)
    title = f"{track.name}, likelihood ≥ {pcutoff:g}" if track.name else f"likelihood ≥ {pcutoff:g}"

    def trajectory() -> Figure:
        return _trajectory(likely, colours, image, recording)

    def over_time() -> Figure:
        figure = _figure(11, 6)
        for axes, axis in zip(figure.subplots(2, 1, sharex=True), (0, 1)):
            _lines(axes, times, likely[..., axis], colours)
            axes.set_ylabel(f"{'xy'[axis]}, pixels")
        figure.axes[1].invert_yaxis()
        figure.axes[1].set_xlabel(unit)
        return figure

    known = track.scores
    if recording.readable is not None:  # of the others there is nothing to show
        known = np.where(recording.readable[:, None], known, np.nan)

    def likelihood() -> Figure:
        return _likelihood(times, unit, known, track.names, pcutoff)

    def jumps() -> Figure:
        return _jumps(likely, track.names)

    drawings: dict[str, tuple[Callable[[], Figure], str]] = {
        "trajectory": (trajectory, title),
        "plot": (over_time, title),
        "plot-likelihood": (likelihood, track.name),
        "hist": (jumps, title),
    }
    written = []
    for name, (draw, heading) in drawings.items():
        figure = draw()
        figure.suptitle(heading, fontsize=11)
        if name in ("trajectory", "plot"):
            _legend(figure, track.names, colours)
        path = folder / f"{name}{suffix}.png"
        with written_whole(path) as temporary:
            figure.savefig(temporary, dpi=_DPI)
        written.append(path)
    return written


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _times(recording: Recording) -> tuple[np.ndarray, str]:
    """Return where the frames are on the axis of time, and what that axis is called."""
    times = recording.times
    if times is not None and np.isfinite(times).all() and (len(times) < 2 or np.ptp(times) > 0):
        return times, "time, seconds"
    return np.arange(len(recording), dtype=np.float64), "frame"


def _trajectory(
    likely: np.ndarray, colours: np.ndarray, image: np.ndarray | None, recording: Recording
) -> Figure:
    size = image.shape[:2] if image is not None else None
    if size is None and recording.video is not None:
        size = recording.video.size
    if size is None:
        far = np.nanmax(likely.reshape(-1, 2), axis=0) if np.isfinite(likely).any() else (100, 100)
        size = (int(far[1]) + 2, int(far[0]) + 2)
    height, width = size
    scale = 8 / max(height, width)
    figure = _figure(max(width * scale, 4) + 2.4, max(height * scale, 3) + 0.8)
    axes = figure.subplots()
    if image is not None:
        axes.imshow(image, alpha=0.55)
    for k, colour in enumerate(colours):
        points = _thinned(likely[:, k])
        segments = np.stack([points[:-1], points[1:]], axis=1)
        whole = np.isfinite(segments).all(axis=(1, 2))
        axes.add_collection(LineCollection(list(segments[whole]), colors=[colour], lw=0.7))
        alone = np.isfinite(points).all(axis=1)
        alone &= ~(np.r_[whole, False] | np.r_[False, whole])
        axes.plot(*points[alone].T, ".", ms=2, color=colour)
    axes.set_aspect("equal")
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_xlabel("x, pixels")
    axes.set_ylabel("y, pixels")
    return figure


def _thinned(points: np.ndarray, most: int = 20_000) -> np.ndarray:
    """Return every so many-th of the points ``(F, 2)`` of a long way."""
    return points[:: max(1, len(points) // most)]


def _lines(axes: Axes, times: np.ndarray, values: np.ndarray, colours: np.ndarray) -> None:
    """Draw values ``(F, K)`` over time, those of many frames as the range in each column."""
    count = len(times)
    width = max(1, -(-count // _COLUMNS))
    if width < 3:
        for k, colour in enumerate(colours):
            axes.plot(times, values[:, k], color=colour, lw=0.9)
        return
    starts = np.arange(0, count, width)
    low = np.fmin.reduceat(values, starts, axis=0)
    high = np.fmax.reduceat(values, starts, axis=0)
    for k, colour in enumerate(colours):
        axes.fill_between(times[starts], low[:, k], high[:, k], color=colour, lw=0.5, alpha=0.8)


def _likelihood(
    times: np.ndarray, unit: str, scores: np.ndarray, names: Sequence[str], pcutoff: float
) -> Figure:
    """Return a strip for each keypoint, likelihood over time, and beside it how it is spread.

    Frames whose likelihoods are NaN are blank.
    """
    figure = _figure(12, 1.4 + 0.24 * len(names))
    left, right = figure.subplots(1, 2, width_ratios=(3, 1), sharey=True)
    width = max(1, -(-len(scores) // _COLUMNS))
    starts = np.arange(0, len(scores), width)
    if len(starts):
        known = np.isfinite(scores)
        sizes = np.add.reduceat(known, starts, axis=0, dtype=np.float64)
        sums = np.add.reduceat(np.where(known, scores, 0.0), starts, axis=0)
        means = np.ma.masked_array(sums, sizes == 0) / np.maximum(sizes, 1)
        extent = (times[0], times[-1] if len(times) > 1 else times[0] + 1, len(names) - 0.5, -0.5)
        strips = left.imshow(
            means.T, aspect="auto", extent=extent, vmin=0, vmax=1, interpolation="nearest"
        )
        figure.colorbar(strips, ax=left, label="likelihood", pad=0.01)
    left.set_xlabel(unit)
    counts = _spread(figure, right, scores, np.linspace(0, 1, 41), names)
    right.axvline(pcutoff, color="#ff2d2d", ls="--", lw=1)
    right.set_xlabel(f"likelihood of {counts} frames, dashed: cut-off")
    return figure


def _jumps(likely: np.ndarray, names: Sequence[str]) -> Figure:
    figure = _figure(9, 1.4 + 0.24 * len(names))
    axes = figure.subplots()
    steps = np.linalg.norm(np.diff(likely, axis=0), axis=-1)
    largest = float(np.nanmax(steps)) if np.isfinite(steps).any() else 1.0
    bins = np.geomspace(0.1, max(largest, 1.0) * 1.01, 61)
    count = _spread(figure, axes, np.maximum(steps, 0.1), bins, names)
    axes.set_xscale("log")
    axes.set_xlabel(f"way from one frame to the next, pixels; {count} of them")
    return figure


def _spread(
    figure: Figure, axes: Axes, values: np.ndarray, bins: np.ndarray, names: Sequence[str]
) -> int:
    """Draw a histogram of values ``(F, K)`` as a strip for each keypoint; return the largest F."""
    rows = [np.histogram(column[np.isfinite(column)], bins)[0] for column in values.T]
    counts = np.array(rows, dtype=np.float64).reshape(len(names), len(bins) - 1)
    most = max(float(counts.max(initial=0)), 2.0)
    seen = np.ma.masked_equal(counts, 0)
    norm = LogNorm(1, most)
    mesh = axes.pcolormesh(bins, np.arange(len(names) + 1) - 0.5, seen, norm=norm, cmap="magma_r")
    figure.colorbar(mesh, ax=axes, label="frames", pad=0.02)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    return int(counts.sum(axis=1).max(initial=0))


def _legend(figure: Figure, names: Sequence[str], colours: np.ndarray) -> None:
    marks = [Line2D([], [], color=colour, lw=3) for colour in colours]
    columns = -(-len(names) // 28)
    figure.legend(marks, list(names), loc="outside right upper", fontsize=8, frameon=False,
                  ncols=columns)  # fmt: skip
