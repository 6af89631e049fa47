"""What the heatmap codecs share: grids of cells, distances, peaks, refinement.

A map has cells; the centre of cell i lies at pixel ``i * stride + offset``. Three conventions of
`offset` are in use, and each codec says which one is its own:

* ``(stride - 1) / 2``: the centre of the pixels that the cell covers; mirroring is exact.
* ``stride / 2``: DeepLabCut.
* ``0``: HRNet, SimpleBaseline and DEKR.

Shapes: B images, N animals, K keypoints, h x w cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from dlcreg.structures import Instances, Poses

Anchor = Literal["centre", "deeplabcut", "corner"]
Activation = Literal["none", "sigmoid", "softmax"]

TINY = 1e-10
"""Floor of heatmap values before a logarithm."""


def check_positive(**lengths: tuple[float | None, str]) -> None:
    """Check lengths by their names, each with its unit; None where one is left out.

    Raises:
        ValueError: one is not above 0, or not finite.
    """
    for name, (value, unit) in lengths.items():
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} must be above 0 {unit} and finite, not {value:g}")


def check_kernel(kernel: int) -> None:
    """Check the width in cells of a smoothing.

    Raises:
        ValueError: it is even, or too small to smooth.
    """
    if kernel < 3 or kernel % 2 == 0:
        raise ValueError(f"kernel must be odd and at least 3 cells, not {kernel}")


def anchor_offset(anchor: Anchor, stride: float) -> float:
    """Return the pixel coordinate of the centre of cell 0."""
    return {"centre": (stride - 1) / 2, "deeplabcut": stride / 2, "corner": 0.0}[anchor]


def labelled(instances: Instances) -> Tensor:
    """Return bool ``(B, N, K)``: keypoints with a label, of animals that are not padding."""
    return (instances.visibility > 0) & instances.valid[..., None]


def map_weight(known: Tensor, unlabelled: Literal["ignore", "background"]) -> Tensor:
    """Return the weight ``(B, K, 1, 1)`` of whole maps: 1 where an animal has a label.

    Args:
        known: bool ``(B, N, K)``.
        unlabelled: a map without any label weighs 0 (``ignore``), or 1 and is to be learnt as
            empty (``background``).
    """
    present = known.any(dim=1)
    if unlabelled == "background":
        present = torch.ones_like(present)
    return present.to(torch.float32)[..., None, None]


class Distances(NamedTuple):
    """Of each cell to the nearest animal's keypoint, in pixels.

    Args:
        dx: keypoint minus cell centre along x; broadcasts to ``(B, K, h, w)``.
        dy: the same along y.
        squared: squared distance ``(B, K, h, w)``; infinite where no animal has a label.
    """

    dx: Tensor
    dy: Tensor
    squared: Tensor


def nearest(
    keypoints: Tensor, known: Tensor, size: tuple[int, int], stride: float, offset: float
) -> Distances:
    """Return the way from each cell to the nearest labelled keypoint of its kind.

    Args:
        keypoints: float ``(B, N, K, 2)`` in pixels.
        known: bool ``(B, N, K)``.
        size: h and w of the map.
        stride: pixels for each cell.
        offset: pixel coordinate of the centre of cell 0.
    """
    keypoints = keypoints.masked_fill(~known[..., None], 0.0)
    columns = centres(size[1], stride, offset, keypoints)
    rows = centres(size[0], stride, offset, keypoints)[:, None]
    x, y = keypoints[..., 0, None, None], keypoints[..., 1, None, None]  # (B, N, K, 1, 1)
    far = torch.zeros_like(y).masked_fill_(~known[..., None, None], torch.inf)
    squared = (x - columns).square() + ((y - rows).square() + far)  # (B, N, K, h, w)
    if squared.shape[1] == 0:
        empty = squared.new_full((len(squared), *squared.shape[2:]), torch.inf)
        return Distances(torch.zeros_like(empty), torch.zeros_like(empty), empty)
    if squared.shape[1] == 1:
        return Distances(x[:, 0] - columns, y[:, 0] - rows, squared[:, 0])
    least, animal = squared.min(dim=1)
    x, y = (of_nearest(keypoints[..., axis], animal) for axis in (0, 1))
    return Distances(x - columns, y - rows, least)


def of_nearest(values: Tensor, animal: Tensor) -> Tensor:
    """Return values ``(B, N, K)`` of the animals that a map ``(B, K, h, w)`` of indices names."""
    of_keypoint = values.transpose(1, 2)  # (B, K, N)
    return of_keypoint.gather(-1, animal.flatten(2)).view_as(animal)


def centres(cells: int, stride: float, offset: float, like: Tensor) -> Tensor:
    """Return the pixel coordinates of the centres of a row of cells."""
    return torch.arange(cells, device=like.device, dtype=like.dtype) * stride + offset


def corner_steps(cells: Sequence[int], size: Sequence[float]) -> tuple[float, float]:
    """Return the pixels along x and y from cell to cell, where corner cells lie on corner pixels.

    Args:
        cells: h and w of the map.
        size: height and width of the image in pixels.
    """
    down, across = (max(s - 1, 1) / max(c - 1, 1) for s, c in zip(size, cells, strict=True))
    return across, down


def gaussian_taps(kernel: int, like: Tensor) -> Tensor:
    """Return a Gaussian ``(kernel,)`` whose standard deviation follows its width as in OpenCV."""
    sigma = 0.3 * ((kernel - 1) / 2 - 1) + 0.8
    taps = torch.arange(kernel, device=like.device, dtype=like.dtype) - kernel // 2
    taps = torch.exp(taps.square() / (-2 * sigma**2))
    return taps / taps.sum()


def gaussian_maps(
    keypoints: Tensor,
    known: Tensor,
    size: tuple[int, int],
    sigma: float,
    reach: float | None = None,
    around: Tensor | None = None,
) -> Tensor:
    """Return heatmaps ``(B, K, h, w)`` with the largest of the animals' Gaussians in each cell.

    A Gaussian is the product of one row and one column, which is what makes this fast.

    Args:
        keypoints: float ``(B, N, K, 2)`` in cells.
        known: bool ``(B, N, K)``; others draw nothing.
        size: h and w of the map.
        sigma: standard deviation in cells.
        reach: cells further away than this along x or y are 0; None: no limit.
        around: float ``(B, N, K, 2)``, from where `reach` counts; None: the keypoints.
    """
    keypoints = keypoints.masked_fill(~known[..., None], 0.0)
    x = keypoints[..., 0, None] - centres(size[1], 1.0, 0.0, keypoints)  # (B, N, K, w)
    y = keypoints[..., 1, None] - centres(size[0], 1.0, 0.0, keypoints)  # (B, N, K, h)
    row = torch.exp(x.square() * (-0.5 / sigma**2))
    column = torch.exp(y.square() * (-0.5 / sigma**2))
    column = column.masked_fill(~known[..., None], 0.0)
    if reach is not None:
        if around is not None:
            x = around[..., 0, None] - centres(size[1], 1.0, 0.0, keypoints)
            y = around[..., 1, None] - centres(size[0], 1.0, 0.0, keypoints)
        row, column = (
            row.masked_fill(x.abs() > reach, 0.0),
            column.masked_fill(y.abs() > reach, 0.0),
        )
    maps = column[..., :, None] * row[..., None, :]
    if maps.shape[1] == 0:
        return maps.new_zeros((maps.shape[0], *maps.shape[2:]))
    return maps[:, 0] if maps.shape[1] == 1 else maps.amax(dim=1)


def within(near: Distances, radius: float) -> Tensor:
    """Return 1 in each cell ``(B, K, h, w)`` within `radius` pixels of a keypoint, else 0."""
    return (near.squared <= radius**2).to(near.squared.dtype)


def locref_target(near: Distances, disc: Tensor, std: float) -> tuple[Tensor, Tensor]:
    """Return location refinement and its weight, each ``(B, 2K, h, w)``, channels x0 y0 x1 y1 ...

    Args:
        near: way to the nearest animal: where two animals overlap, the nearer one is pointed at.
        disc: weight ``(B, K, h, w)`` of 0 or 1; the target is 0 where it is 0.
        std: pixels for a target value of 1.
    """
    b, k, h, w = disc.shape
    target = disc.new_empty((b, k, 2, h, w))
    torch.mul(disc, near.dx / std, out=target[:, :, 0])
    torch.mul(disc, near.dy / std, out=target[:, :, 1])
    weight = disc[:, :, None].expand(b, k, 2, h, w)
    return target.flatten(1, 2), weight.reshape(b, 2 * k, h, w)


class Peaks(NamedTuple):
    """The highest cell of each map: its value, flat cell, column and row, each ``(B, K)``."""

    value: Tensor
    cell: Tensor
    column: Tensor
    row: Tensor


def find_peaks(maps: Tensor) -> Peaks:
    """Return the highest cell of each map ``(B, K, h, w)``."""
    value, index = maps.flatten(2).max(dim=-1)
    width = maps.shape[-1]
    return Peaks(value, index, index % width, torch.div(index, width, rounding_mode="floor"))


def read_locref(locref: Tensor, index: Tensor) -> Tensor:
    """Return the refinement ``(B, K, 2)`` of maps ``(B, 2K, h, w)`` at flat cells `index`."""
    b, k = index.shape
    pairs = locref.flatten(2).unflatten(1, (k, 2))
    return pairs.gather(-1, index[..., None, None].expand(b, k, 2, 1))[..., 0]


def peak_centres(peaks: Peaks, dtype: torch.dtype) -> Tensor:
    """Return the cells of the peaks ``(B, K, 2)`` as x, y."""
    return torch.stack([peaks.column, peaks.row], dim=-1).to(dtype)


def refined(locref: Tensor, peaks: Peaks, stride: float, offset: float, std: float) -> Tensor:
    """Return the keypoints ``(B, K, 2)`` in pixels that location refinement gives at the peaks.

    Args:
        locref: ``(B, 2K, h, w)``, in units of `std` pixels.
        peaks: the cells to read.
        stride: pixels for each cell.
        offset: pixel coordinate of the centre of cell 0.
        std: pixels for a value of 1.
    """
    cells = peak_centres(peaks, locref.dtype)
    return cells * stride + offset + read_locref(locref, peaks.cell) * std


def cells_at(maps: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Return values ``(B, K, ...)`` of maps ``(B, K, h, w)``; row and column have that shape."""
    index = row * maps.shape[-1] + column
    return maps.flatten(2).gather(-1, index.flatten(2)).view_as(index)


def central_difference(maps: Tensor, peaks: Peaks) -> Tensor:
    """Return right minus left and lower minus upper neighbour of each peak, ``(B, K, 2)``.

    Zero in both directions where the peak is among the outermost cells of the map, with one more
    column and row of them at the left and at the top, as HRNet and SimpleBaseline have it.
    """
    height, width = maps.shape[-2:]
    if height < 4 or width < 4:
        return torch.zeros_like(peak_centres(peaks, maps.dtype))
    inner = (peaks.column > 1) & (peaks.column < width - 1)
    inner = inner & (peaks.row > 1) & (peaks.row < height - 1)
    column = peaks.column.clamp(1, width - 2)[..., None]
    row = peaks.row.clamp(1, height - 2)[..., None]
    across = torch.tensor([1, -1, 0, 0], device=maps.device)
    down = torch.tensor([0, 0, 1, -1], device=maps.device)
    right, left, below, above = cells_at(maps, row + down, column + across).unbind(-1)
    difference = torch.stack([right - left, below - above], dim=-1)
    return torch.where(inner[..., None], difference, torch.zeros_like(difference))


def parabola_peak(maps: Tensor, peaks: Peaks) -> Tensor:
    """Return the sub-cell position ``(B, K, 2)`` of each peak, as x, y in cells.

    The logarithm of a Gaussian is a parabola, which the three cells around the peak fix exactly,
    along x and y apart. At a border the three outermost cells serve. The result stays within one
    cell of the highest one.
    """
    height, width = maps.shape[-2:]
    x = _vertex(maps, peaks, width, along_x=True)
    y = _vertex(maps, peaks, height, along_x=False)
    return torch.stack([x, y], dim=-1)


def _vertex(maps: Tensor, peaks: Peaks, length: int, along_x: bool) -> Tensor:
    top = peaks.column if along_x else peaks.row
    if length < 3:
        return top.to(maps.dtype)
    middle = top.clamp(1, length - 2)
    steps = middle[..., None] + torch.arange(-1, 2, device=maps.device)  # (B, K, 3)
    fixed = (peaks.row if along_x else peaks.column)[..., None].expand_as(steps)
    values = cells_at(maps, *((fixed, steps) if along_x else (steps, fixed)))
    return parabola_vertex(values.clamp(min=TINY).log(), middle, top)


def parabola_vertex(values: Tensor, middle: Tensor, top: Tensor) -> Tensor:
    """Return the highest place of the parabola through three cells, in cells; `top` where none is.

    Args:
        values: ``(..., 3)``, of the cells before, at and after `middle`.
        middle: int64 ``(...)``, the cell in the middle of the three.
        top: int64 ``(...)``, the highest cell; the result stays within one cell of it.
    """
    left, centre, right = values.unbind(-1)
    bend = left + right - 2 * centre
    safe = torch.where(bend < -1e-6, bend, torch.full_like(bend, -1.0))
    step = torch.where(bend < -1e-6, (left - right) / (2 * safe), torch.zeros_like(bend))
    highest = top.to(values.dtype)
    found = torch.where(bend < -1e-6, middle.to(values.dtype) + step, highest)
    return torch.minimum(torch.maximum(found, highest - 1), highest + 1)


def activate(maps: Tensor, activation: str | None, mass: float | Tensor) -> Tensor:
    """Return the maps as likelihoods.

    Args:
        maps: ``(B, K, h, w)``.
        activation: ``sigmoid`` for each cell, ``softmax`` over each map, or nothing.
        mass: sum of a target map; what a softmax shares out, so that a peak like the target's is 1.
            It broadcasts to the maps.
    """
    if activation == "softmax":
        return maps.flatten(2).softmax(dim=-1).view_as(maps) * mass
    return maps.sigmoid() if activation == "sigmoid" else maps


def single_pose(keypoints: Tensor, scores: Tensor) -> Poses:
    """Return poses of one animal an image, from keypoints ``(B, K, 2)`` and scores ``(B, K)``.

    A keypoint that is no number, or whose score is none, was not found: NaN, with the score 0.
    """
    found = keypoints.isfinite().all(dim=-1) & scores.isfinite()
    keypoints = keypoints.masked_fill(~found[..., None], torch.nan)
    scores = scores.masked_fill(~found, 0.0)
    valid = found.any(dim=-1, keepdim=True)
    return Poses(keypoints[:, None], scores[:, None], scores.mean(dim=-1, keepdim=True), valid)


def channels(num_keypoints: int, locref_std: float | None) -> dict[str, int]:
    """Return K channels of heatmap and, with location refinement, 2K of locref."""
    found = {"heatmap": num_keypoints}
    return found if locref_std is None else {**found, "locref": 2 * num_keypoints}
