"""Pictures of frames with labels and predictions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from dlcreg.analysis.colours import ANIMALS, keypoint_colours
from dlcreg.files import written_whole

Window = tuple[float, float, float, float]
"""Centres of the first and of the last pixel that are shown: x, y, x, y."""

CELL = 4.2  # inches for a frame, where three are side by side
_SHADOW = withStroke(linewidth=2.6, foreground="#000000a0")  # seen on any ground


@dataclass(frozen=True)
class Frame:
    """One image to draw.

    Args:
        image: uint8 ``(H, W, 3)`` RGB, the original image.
        labels: float ``(N, K, 2)``, pixels of the image; NaN where not labelled.
        keypoints: float ``(M, K, 2)``, predictions likewise.
        scores: float ``(M, K)``.
        title: the text above it.
        pairs: which prediction is which label: indices (M, N), as `match` gives them.
        names: of the N labelled animals; shown where there are several.
        taken_for: names of the M predicted animals, for models that say who is who; told where it
            is not that of the labelled one.
        unique_labels: float ``(U, 2)``, the unique body parts, as `labels`.
        unique_keypoints: float ``(U, 2)``, predictions of them; NaN where there is none.
        unique_scores: float ``(U,)``.
        boxes: float ``(M, 4)``, boxes of the predictions, x, y, width, height; none where the model
            finds none.
        box_scores: float ``(M,)``.
        label_boxes: float ``(N, 4)``, those of the labels, likewise.
    """

    image: np.ndarray
    labels: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    title: str
    pairs: Sequence[tuple[int, int]] = ()
    names: Sequence[str] = ()
    taken_for: Sequence[str] = ()
    unique_labels: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    unique_keypoints: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    unique_scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    boxes: np.ndarray = field(default_factory=lambda: np.empty((0, 4)))
    box_scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    label_boxes: np.ndarray = field(default_factory=lambda: np.empty((0, 4)))


def draw_frames(
    path: Path,
    frames: Sequence[Frame],
    keypoint_names: Sequence[str],
    title: str,
    pcutoff: float = 0.6,
    columns: int = 3,
    skeleton: Sequence[tuple[int, int]] = (),
    unique_names: Sequence[str] = (),
) -> Path:
    """Draw frames in a grid: labels as crosses, predictions as dots, hollow below the cut-off.

    A thin line leads from each dot to its cross, the skeleton joins the dots of an animal. Where
    there are several animals, each has its colour and its name: that of the individual that it is
    taken for, if the model says so. Unique body parts are squares. Boxes are dashed where they are
    labelled, and tell their score where they were found. Each frame is cut around labels,
    their predictions and all that is likely, with some margin, so that errors of a few pixels can
    be seen.

    Args:
        path: the PNG to write.
        frames: what to draw.
        keypoint_names: names in the order of K, for the legend.
        title: heading of the picture.
        pcutoff: likelihood below which a prediction is drawn hollow.
        columns: frames side by side.
        skeleton: pairs of indices of keypoints.
        unique_names: names of the unique body parts, for the legend.
    """
    columns = min(columns, len(frames))
    rows = math.ceil(len(frames) / columns)
    names, marks = _legend(frames, keypoint_names, unique_names, pcutoff)
    windows = [_window(frame, pcutoff) for frame in frames]
    width = min(3 * CELL / columns, 1.6 * CELL)  # sizes in inches from here on
    height = width * max((y1 - y0 + 1) / (x1 - x0 + 1) for x0, y0, x1, y1 in windows)
    ncols = max(1, min(len(names), int(width * columns / (0.5 + 0.075 * max(map(len, names))))))
    legend = 0.19 * math.ceil(len(names) / ncols) + 0.2
    figure = Figure(
        figsize=(width * columns, (height + 0.25) * rows + legend + 0.35), layout="constrained"
    )
    FigureCanvasAgg(figure)
    colours = keypoint_colours(len(keypoint_names) + len(unique_names))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(frames) :]:
        axes.set_visible(False)
    for axes, frame, window in zip(grid, frames, windows):
        _draw(axes, frame, window, colours, pcutoff, skeleton)
    figure.suptitle(title, fontsize=11)
    figure.legend(marks, names, loc="outside lower center", ncols=ncols, fontsize=8, frameon=False)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=110)
    return path


def _legend(
    frames: Sequence[Frame],
    keypoint_names: Sequence[str],
    unique_names: Sequence[str],
    pcutoff: float,
) -> tuple[list[str], list[Line2D]]:
    """Return what is said of the marks that frames may show, and the marks."""

    def mark(marker: str, colour: Any = "k", size: float = 5, **style: Any) -> Line2D:
        return Line2D([], [], color=colour, marker=marker, ls="", ms=size, **style)

    names = [*keypoint_names, *unique_names]
    shapes = ["o"] * len(keypoint_names) + ["s"] * len(unique_names)
    marks = [mark(shape, c) for shape, c in zip(shapes, keypoint_colours(len(names)))]
    if names:
        names += ["label", "prediction", f"likelihood < {pcutoff:g}"]
        marks += [mark("+", size=8), mark("o"), mark("o", mfc="none")]
    if any(len(frame.label_boxes) for frame in frames):
        names.append("labelled box")
        marks.append(Line2D([], [], color="k", ls="--", lw=1.0))
    if any(len(frame.boxes) for frame in frames):
        names.append("box found, its score")
        marks.append(Line2D([], [], color="k", lw=1.4))
    return names, marks


def _draw(
    axes: Axes,
    frame: Frame,
    window: Window,
    colours: np.ndarray,
    pcutoff: float,
    skeleton: Sequence[tuple[int, int]],
) -> None:
    axes.imshow(frame.image, interpolation="nearest")
    axes.set_title(frame.title, fontsize=8)
    axes.set_axis_off()
    x0, y0, x1, y1 = window
    axes.set_xlim(x0 - 0.5, x1 + 0.5)
    axes.set_ylim(y1 + 0.5, y0 - 0.5)
    several = max(len(frame.labels), len(frame.keypoints)) > 1
    own = _own_colours(frame)
    _boxes(axes, frame, own)
    label_of = dict(frame.pairs)
    count = len(colours) - len(frame.unique_labels)
    for row, (pose, score) in enumerate(zip(frame.keypoints, frame.scores)):
        bones = [pose[list(bone)] for bone in skeleton if (score[list(bone)] >= pcutoff).all()]
        axes.add_collection(LineCollection(bones, colors=own[row], lw=0.8, alpha=0.7))
        animal = label_of.get(row)
        label = np.full_like(pose, np.nan) if animal is None else frame.labels[animal]
        edge = own[row] if several else "k"
        _dots(axes, pose, score, label, colours[:count], edge, window, pcutoff)
        name = frame.taken_for[row] if row < len(frame.taken_for) else ""
        if several and animal is not None and name not in ("", *frame.names[animal : animal + 1]):
            found = pose[np.isfinite(pose).all(axis=1)]
            _name(axes, found, f"taken for {name}", own[row], window, below=True)
    if len(frame.unique_keypoints):
        points, scores = frame.unique_keypoints, frame.unique_scores
        _dots(axes, points, scores, frame.unique_labels, colours[count:], "k", window, pcutoff, "s")
    for animal, label in enumerate(frame.labels):
        _crosses(axes, label, colours[:count])
        if several and animal < len(frame.names) and np.isfinite(label).any():
            colour = ANIMALS[animal % len(ANIMALS)]
            _name(axes, label, frame.names[animal], colour, window)
    _crosses(axes, frame.unique_labels, colours[count:])


def _boxes(axes: Axes, frame: Frame, own: Sequence[str]) -> None:
    for animal, (x, y, width, height) in enumerate(frame.label_boxes):
        colour = ANIMALS[animal % len(ANIMALS)]
        box = Rectangle((x, y), width, height, fill=False, ec=colour, lw=1.0, ls="--")
        axes.add_patch(box).set_path_effects([_SHADOW])
    for row, (x, y, width, height) in enumerate(frame.boxes):
        box = Rectangle((x, y), width, height, fill=False, ec=own[row], lw=1.4)
        axes.add_patch(box).set_path_effects([_SHADOW])
        text = axes.text(x + width, y + height, f"{frame.box_scores[row]:.2f}", fontsize=7)
        text.set(color=own[row], path_effects=[_SHADOW], ha="right", va="bottom", clip_on=True)


def _own_colours(frame: Frame) -> list[str]:
    """Return the colour of each prediction: of who it is taken for, or is; else one of its own."""
    spare = itertools.count(len(frame.labels))
    label_of = dict(frame.pairs)
    names = list(frame.names)
    own = []
    for row in range(len(frame.keypoints)):
        name = frame.taken_for[row] if row < len(frame.taken_for) else ""
        animal = names.index(name) if name in names else None if name else label_of.get(row)
        own.append(ANIMALS[(next(spare) if animal is None else animal) % len(ANIMALS)])
    return own


def _dots(
    axes: Axes,
    points: np.ndarray,
    score: np.ndarray,
    label: np.ndarray,
    colours: np.ndarray,
    edge: str,
    window: Window,
    pcutoff: float,
    marker: str = "o",
) -> None:
    """Draw predictions, hollow below the cut-off, and the way from each to its label."""
    misses = np.stack([points, label], axis=1)
    both = np.isfinite(misses).all(axis=(1, 2))
    axes.add_collection(LineCollection(list(misses[both]), colors=colours[both], lw=0.8))
    sure = (score >= pcutoff)[:, None]
    face = np.where(sure, colours, to_rgba("none"))
    edges = np.where(sure, to_rgba(edge), colours)
    seen = _within(points, window)  # whole, where a mark stands at the very edge
    x, y = points[seen].T
    dots: dict[str, Any] = {"c": face[seen], "edgecolors": list(edges[seen]), "marker": marker}
    axes.scatter(x, y, s=20, linewidths=0.9, clip_on=False, **dots)


def _crosses(axes: Axes, label: np.ndarray, colours: np.ndarray) -> None:
    x, y = label.T
    cross: dict[str, Any] = {"marker": "+", "s": 60, "linewidths": 1.3, "clip_on": False}
    axes.scatter(x, y, c=colours, **cross).set_path_effects([_SHADOW])


def _name(
    axes: Axes, points: np.ndarray, name: str, colour: str, window: Window, below: bool = False
) -> None:
    """Write a name above an animal, or below it."""
    if not len(points):
        return
    x, y = points.T
    top, bottom = window[1], window[3]
    gap = 0.03 * (bottom - top)
    at = (
        min(np.nanmax(y) + gap, bottom - 2 * gap)
        if below
        else max(np.nanmin(y), top + 3 * gap) - gap
    )
    text = axes.text(np.nanmean(x), at, name, fontsize=8, ha="center", clip_on=True)
    text.set(color=colour, path_effects=[_SHADOW], va="top" if below else "bottom")


def _within(points: np.ndarray, window: Window) -> np.ndarray:
    """Return which of the points ``(K, 2)`` lie on a pixel that is shown: bool ``(K,)``."""
    x0, y0, x1, y1 = window
    low, high = np.array([x0, y0]) - 0.5, np.array([x1, y1]) + 0.5
    return np.all((points >= low) & (points <= high), axis=1)


def _window(frame: Frame, pcutoff: float) -> Window:
    """Return a square around what counts, within the image as far as it is large enough.

    What counts are labels, the predictions that are compared with them, and likely predictions;
    all boxes.
    """
    size = np.array(frame.image.shape[1::-1])
    counts = (frame.scores >= pcutoff) & np.isfinite(frame.keypoints).all(axis=-1)
    for row, animal in frame.pairs:
        counts[row] |= np.isfinite(frame.labels[animal]).all(axis=-1)
    boxes = np.concatenate([frame.boxes, frame.label_boxes])
    shown = [frame.labels.reshape(-1, 2), frame.keypoints[counts], frame.unique_labels]
    shown += [boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]
    points = np.concatenate(shown)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return 0, 0, size[0] - 1, size[1] - 1
    low, high = points.min(axis=0), points.max(axis=0)
    side = np.minimum(max((high - low).max(), 24.0) * 1.4, size - 1)
    corner = np.clip((low + high - side) / 2, 0, size - 1 - side)
    x0, y0 = corner
    x1, y1 = corner + side
    return x0, y0, x1, y1
