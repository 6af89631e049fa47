"""Keypoints that were regressed, moved onto peaks of their heatmaps."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from dlcreg.models.codecs.centre_decoding import cell_of, highest, read_maps
from dlcreg.models.codecs.resizing import at_grid
from dlcreg.structures import Poses

Snap = Literal["peak", "fit"]
"""``peak``: to the cell of the peak, as DeepLabCut. ``fit``: to the middle of a Gaussian that is
fitted to the heatmap around it, as DEKR (Geng et al., 2021)."""

_WINDOW = 5  # cells along x and y of which a peak is the highest
_REACH = 6  # cells at each side that a Gaussian is fitted to
_STEPS = 30
_SURE = 0.05  # score from which on a Gaussian is fitted around a keypoint
_LEAST = 1e-9


def nearest_peaks(heatmap: Tensor, points: Tensor, count: int, distance: float) -> Tensor:
    """Return keypoints moved to the nearest peak of their map, where there is one.

    Args:
        heatmap: ``(B, K, h, w)``.
        points: x, y ``(B, P, K, 2)`` in cells.
        count: peaks of each map that are looked at, the highest.
        distance: cells from which on a peak is too far.
    """
    _, index = highest(heatmap, _WINDOW, count)
    peaks = cell_of(index, heatmap.shape[-1]).to(points.dtype)  # (B, K, M, 2)
    ways = points.transpose(1, 2)[:, :, :, None] - peaks[:, :, None]  # (B, K, P, M, 2)
    apart, chosen = ways.square().sum(dim=-1).sqrt().min(dim=-1)
    place = peaks.gather(2, chosen[..., None].expand(*chosen.shape, 2))
    return torch.where((apart < distance)[..., None], place, points.transpose(1, 2)).transpose(1, 2)


def fit_peaks(
    heatmap: Tensor,
    poses: Poses,
    count: int,
    distance: float,
    sigma: float,
    stride: float,
    offset: float,
) -> Tensor:
    """Return keypoints ``(B, P, K, 2)`` of poses, moved to Gaussians fitted around near peaks.

    Peaks are those of the maps in the resolution of the image.

    Args:
        heatmap: ``(B, K, h, w)``.
        poses: in pixels.
        count: see `nearest_peaks`.
        distance: likewise, in pixels.
        sigma: see `fit_gaussians`, in pixels.
        stride: pixels for each cell.
        offset: pixel coordinate of the centre of cell 0.
    """
    rows, columns = (
        (torch.arange(int(length * stride), device=heatmap.device) - offset) / stride
        for length in heatmap.shape[-2:]
    )
    pixels = at_grid(heatmap, rows, columns)
    peaks = nearest_peaks(pixels, poses.keypoints, count, distance)
    fitted = fit_gaussians(pixels, peaks, sigma)
    return torch.where(poses.scores[..., None] > _SURE, fitted, peaks)


def fit_gaussians(heatmap: Tensor, points: Tensor, sigma: float) -> Tensor:
    """Return the middles ``(B, P, K, 2)`` of Gaussians fitted around points, in cells.

    Height, middle and width of each are those of the least squares over 13 x 13 cells, found by
    the method of Levenberg and Marquardt, all at once. A point stays where it is if the middle
    is not found within those cells.

    Args:
        heatmap: ``(B, K, h, w)``.
        points: x, y ``(B, P, K, 2)`` in cells.
        sigma: standard deviation to start from, in cells.
    """
    height, width = heatmap.shape[-2:]
    steps = torch.arange(-_REACH, _REACH + 1, device=points.device, dtype=points.dtype)
    limit = points.new_tensor([width - 1, height - 1])
    middle = torch.minimum((points + 0.5).trunc().clamp(min=0), limit)
    across = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).flatten(0, 1)  # x, y
    cells = middle[..., None, :] + across  # (B, P, K, S, 2)
    inside = ((cells >= 0) & (cells <= limit)).all(dim=-1)
    values = read_maps(heatmap, cells.transpose(2, 3).flatten(1, 2))
    values = values.unflatten(1, (points.shape[1], -1)).transpose(2, 3)  # (B, P, K, S)
    own = read_maps(heatmap, middle)
    found, converged = _fit(values.double(), inside.double(), across.double(), own.double(), sigma)
    fitted = middle + found.to(points.dtype)
    return torch.where((converged & (found.abs() <= _REACH).all(dim=-1))[..., None], fitted, points)


def _fit(
    values: Tensor, weight: Tensor, places: Tensor, height: Tensor, sigma: float
) -> tuple[Tensor, Tensor]:
    """Return the middles ``(..., 2)`` of Gaussians, and whether they were found.

    Args:
        values: ``(..., S)``.
        weight: likewise, 0 or 1.
        places: x, y ``(S, 2)``.
        height: ``(...)``, to start from, as is the middle 0.
        sigma: likewise.
    """
    start = torch.zeros_like(height)
    state = torch.stack([height, start, start, start + sigma], dim=-1)
    damping = torch.full_like(height, 1e-3)
    error, jacobian, residual = _errors(state, values, weight, places)
    gain = torch.ones_like(height)
    for _ in range(_STEPS):
        normal = jacobian.transpose(-1, -2) @ jacobian
        slope = (jacobian.transpose(-1, -2) @ residual[..., None])[..., 0]
        scale = normal.diagonal(dim1=-2, dim2=-1).clamp(min=1e-12)
        step = torch.linalg.solve(normal + torch.diag_embed(damping[..., None] * scale), slope)
        tried = state + step
        new_error, new_jacobian, new_residual = _errors(tried, values, weight, places)
        better = new_error <= error
        gain = torch.where(better, step.abs().amax(dim=-1), gain)
        damping = torch.where(better, damping / 10, damping * 10).clamp(1e-12, 1e12)
        state = torch.where(better[..., None], tried, state)
        error = torch.where(better, new_error, error)
        residual = torch.where(better[..., None], new_residual, residual)
        jacobian = torch.where(better[..., None, None], new_jacobian, jacobian)
    return state[..., 1:3], gain < 1e-3


def _errors(
    state: Tensor, values: Tensor, weight: Tensor, places: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return squared errors ``(...)``, derivatives ``(..., S, 4)`` and errors ``(..., S)``."""
    height, x, y, sigma = (value[..., None] for value in state.unbind(-1))
    right, down = places[:, 0] - x, places[:, 1] - y
    squared = right.square() + down.square()
    variance = sigma.square().clamp(min=_LEAST)
    shape = weight * torch.exp(-squared / (2 * variance))
    model = height * shape
    turned = torch.where(sigma < 0, -1.0, 1.0) * variance**1.5
    jacobian = torch.stack(
        [shape, model * right / variance, model * down / variance, model * squared / turned], dim=-1
    )
    residual = weight * values - model
    return residual.square().sum(dim=-1), jacobian, residual
