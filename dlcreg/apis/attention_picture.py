"""The picture of what keypoints are found by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from dlcreg.apis.attention import Attention
from dlcreg.files import written_whole

_CELL = 2.5  # inches for a picture
_DIM = 0.7  # of the image under a map
_BRIGHT = 0.3  # of the highest
_SHADOW = withStroke(linewidth=2.4, foreground="#000000b0")  # seen on any ground
_EFFECT = "all layers together:\neffect on the likelihood"


def draw_attention_maps(
    path: Path,
    image: np.ndarray,
    found: Attention,
    names: Sequence[str],
    keypoints: Sequence[int],
    title: str,
) -> Path:
    """Draw one row for each keypoint and one column for each layer.

    A ring stands where the keypoint was found. Colour is where a map is above its own mean, the
    brightest where it is highest. Beneath it stand how far it reaches, which is the distance from
    the keypoint within which half of it lies, and how uneven it is. The image is cut to what is
    bright and to the keypoints.

    Args:
        path: the PNG to write.
        image: uint8 ``(H, W, 3)``, as the model sees it.
        found: the maps; they cover the image and what the model pads it by.
        names: names of the keypoints.
        keypoints: indices of those to draw.
        title: heading of the picture.
    """
    layers = len(found.maps)
    columns = layers + (found.effect is not None)
    shown = list(found.maps[:, keypoints].transpose(1, 0, 2, 3))  # (columns, h, w) of each keypoint
    if found.effect is not None:
        shown = [np.append(m, found.effect[[k]], axis=0) for m, k in zip(shown, keypoints)]
    points = found.keypoints[list(keypoints)]
    view = window(np.concatenate(shown), points, found.size, image.shape[:2])
    tall = _CELL * (view[3] - view[1]) / (view[2] - view[0]) + 0.22
    figure = Figure(
        figsize=(_CELL * columns + 0.5, tall * len(keypoints) + 0.95), layout="constrained"
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(keypoints), columns, squeeze=False)
    for row, keypoint, maps in zip(grid, keypoints, shown):
        for axes, values in zip(row, maps):
            _draw(axes, image, values, found.size, found.keypoints[keypoint])
            axes.set(xlim=view[::2], ylim=view[:0:-2])
        row[0].set_ylabel(f"{names[keypoint]} ({found.scores[keypoint]:.2f})", fontsize=9)
    for number, axes in enumerate(grid[0]):
        text = f"attention of layer {number + 1}" if number < layers else _EFFECT
        axes.set_title(text, fontsize=9)
    figure.suptitle(f"{title}: what {found.part} finds each keypoint by", fontsize=11)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    return path


def window(
    maps: np.ndarray, points: np.ndarray, covered: tuple[int, int], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return what of an image is to be seen: left, top, right and bottom edge in pixels.

    All points and all that is bright in a map, with some margin, and a third of the image at least.

    Args:
        maps: ``(M, h, w)``.
        points: ``(K, 2)`` as x, y in pixels.
        covered: height and width in pixels that the maps cover.
        size: height and width of the image.
    """
    bright = np.argwhere(np.any([_heat(values) > _BRIGHT for values in maps], axis=0))
    cell = np.array(covered) / maps.shape[1:]
    seen = np.concatenate([bright * cell, (bright + 1) * cell, points[:, ::-1] + 0.5])  # as y, x
    low, high = seen.min(axis=0), seen.max(axis=0)
    length = np.maximum(1.15 * (high - low), np.array(size) / 3)
    length = np.minimum(np.maximum(length, length.max() / 2), size)
    first = np.clip((low + high - length) / 2, 0, size - length)
    (top, left), (bottom, right) = (first - 0.5).tolist(), (first + length - 0.5).tolist()
    return left, top, right, bottom


def half_within(values: np.ndarray, point: np.ndarray, stride: tuple[float, float]) -> float:
    """Return the pixels around a point within which half of a map's sum lies.

    Args:
        values: ``(h, w)``, from 0 on.
        point: x, y in pixels.
        stride: pixels for each cell along x and y.
    """
    rows, columns = np.indices(values.shape)
    x = columns * stride[0] + (stride[0] - 1) / 2 - point[0]
    y = rows * stride[1] + (stride[1] - 1) / 2 - point[1]
    distance = np.hypot(x, y).ravel()
    order = np.argsort(distance, kind="stable")
    share = np.cumsum(values.ravel()[order])
    return float(distance[order][np.searchsorted(share, share[-1] / 2)])


def _draw(
    axes: Axes, image: np.ndarray, values: np.ndarray, size: tuple[int, int], point: np.ndarray
) -> None:
    extent = (-0.5, size[1] - 0.5, size[0] - 0.5, -0.5)
    grey = np.repeat(image.mean(axis=-1, keepdims=True), 3, axis=-1) / 255 * _DIM
    axes.imshow(grey)
    heat = _heat(values)
    colour = colormaps["inferno"](np.sqrt(heat))
    colour[..., 3] = np.sqrt(heat)  # what counts for less than all on average stays grey
    axes.imshow(colour, extent=extent, interpolation="bilinear")
    axes.set(xticks=[], yticks=[])
    ring = axes.scatter(
        point[0], point[1], s=90, facecolors="none", edgecolors="#00e5ff", linewidths=1.4
    )
    ring.set(clip_on=False, path_effects=[_SHADOW])
    cell = (size[1] / values.shape[1], size[0] / values.shape[0])
    reach = half_within(values, point, cell)
    most = float(values.max()) / max(float(values.mean()), 1e-12)
    text = f"half within {reach:.0f} px, at most {most:.3g} times the mean"
    axes.set_xlabel(text, fontsize=7, labelpad=2)


def _heat(values: np.ndarray) -> np.ndarray:
    """Return how far a map is above its mean, from 0 to 1 at its highest."""
    even = float(values.mean())
    return np.asarray(np.clip((values - even) / max(float(values.max()) - even, 1e-12), 0, 1))
