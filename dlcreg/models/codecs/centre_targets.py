"""Targets of centres and of the ways from them to the keypoints, drawn only where they are.

A map is mostly empty: what is computed are the small patches around the keypoints, which are then
scattered into it. Coordinates are in cells, the centre of the first at 0.

Shapes: B images, N animals, K keypoints, h x w cells, S cells of a patch.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Overlap = Literal["nearest", "smallest", "first"]
"""Whose keypoints a cell points at that is near the centres of several animals: those of the animal
with the ``nearest`` centre, and among those at equal distance of the smaller one; of the
``smallest``; or of the ``first`` in the list of labels, but for the first labelled keypoint of a
smaller one. The last is what the originals do, which forget that an animal is smaller as soon as
they have drawn one of its keypoints; here it holds for each two animals."""


def centres_of(positions: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of each animal's known keypoints ``(B, N, 2)``, and their diagonal."""
    number = known.sum(dim=-1, keepdim=True).clamp(min=1)
    mean = (positions * known[..., None]).sum(dim=2) / number
    filled = torch.where(known[..., None], positions, mean[:, :, None])
    return mean, (filled.amax(dim=2) - filled.amin(dim=2)).norm(dim=-1)


def draw_gaussians(maps: Tensor, positions: Tensor, known: Tensor, sigma: float) -> None:
    """Draw Gaussians into maps of 0; each cell takes the largest of the animals'.

    Each ends about 3 sigma + 2 cells from its middle, as in DEKR, and is above 0 up to there.

    Args:
        maps: ``(B, K, h, w)``, is changed.
        positions: float ``(B, N, K, 2)`` in cells, finite.
        known: bool ``(B, N, K)``; others draw nothing.
        sigma: standard deviation in cells.
    """
    height, width = maps.shape[-2:]
    first = torch.floor(positions - 3 * sigma - 1)
    last = torch.ceil(positions + 3 * sigma + 2)  # the first cell beyond
    steps = torch.arange(math.ceil(6 * sigma) + 5, device=positions.device)
    cells = first[..., None, :] + steps[:, None]  # (B, N, K, S, 2)
    limits = positions.new_tensor([width, height])
    drawn = (cells < last[..., None, :]) & (cells >= 0) & (cells < limits) & known[..., None, None]
    values = torch.exp((cells - positions[..., None, :]).square() * (-0.5 / sigma**2))
    values = torch.where(drawn, values.clamp(min=1e-15), 0.0)
    index = torch.where(drawn, cells, 0.0).long()
    patches = values[..., :, None, 1] * values[..., None, :, 0]  # (B, N, K, S, S)
    flat = index[..., :, None, 1] * width + index[..., None, :, 0]
    places, values = flat.transpose(1, 2).flatten(2), patches.transpose(1, 2).flatten(2)
    maps.flatten(2).scatter_reduce_(2, places, values, "amax")


class Square(NamedTuple):
    """The cells around each animal's centre in which its keypoints are learnt.

    Args:
        x: columns ``(B, N, S)``, whole numbers as floats.
        y: rows ``(B, N, S)``.
        inside: bool ``(B, N, S, S)``, rows before columns: cells that are of the square and of the
            map.
        low: first column and row ``(B, N, 2)``.
        high: first column and row beyond.
    """

    x: Tensor
    y: Tensor
    inside: Tensor
    low: Tensor
    high: Tensor


def squares(centres: Tensor, size: tuple[int, int], radius: float, truncate: bool) -> Square:
    """Return the square of each centre ``(B, N, 2)``.

    Args:
        centres: in cells, finite.
        size: h and w of the map.
        radius: cells along x and y from the centre.
        truncate: round both ends down and leave out the last column and row, as the originals do;
            their squares hence lie half a cell too far up and left. Centres outside the map then
            have none.
    """
    limits = centres.new_tensor([size[1], size[0]])
    if truncate:
        cell = centres.trunc()
        low, high = torch.floor(centres - radius), torch.floor(centres + radius)
        high = torch.where(((cell >= 0) & (cell < limits)).all(-1, keepdim=True), high, low)
    else:
        low, high = torch.ceil(centres - radius), torch.floor(centres + radius) + 1
    steps = torch.arange(2 * math.ceil(radius) + 1, device=centres.device)
    cells = low[:, :, None] + steps[:, None]  # (B, N, S, 2)
    inside = (cells < high[:, :, None]) & (cells >= 0) & (cells < limits)
    x, y = cells.unbind(-1)
    return Square(x, y, inside[..., :, None, 1] & inside[..., None, :, 0], low, high)


def offset_maps(
    positions: Tensor,
    known: Tensor,
    centres: Tensor,
    weights: Tensor,
    square: Square,
    size: tuple[int, int],
    overlap: Overlap,
) -> tuple[Tensor, Tensor]:
    """Return the way from each keypoint to the cells around its animal's centre, and its weight.

    Both are ``(B, 2K, h, w)``, channels x0, y0, x1, y1, ...: cell minus keypoint, in cells. A cell
    in the squares of several animals speaks of one of them, for each keypoint by itself.

    Args:
        positions: float ``(B, N, K, 2)`` in cells, finite.
        known: bool ``(B, N, K)``, of animals that have a centre.
        centres: ``(B, N, 2)`` in cells, finite.
        weights: ``(B, N)``, above 0; that of a smaller animal is larger.
        square: of each centre, see `squares`.
        size: h and w of the map.
        overlap: who is spoken of, see `Overlap`.
    """
    b, _, k = known.shape
    lost = _lost(known, centres, weights, square, overlap)  # (B, N, S, S, K)
    won = (square.inside[..., None] & ~lost & known[:, :, None, None]).to(positions.dtype)
    won = won.permute(0, 4, 1, 2, 3)  # (B, K, N, S, S)
    x = (square.x[..., None] - positions[:, :, None, :, 0]).permute(0, 3, 1, 2)  # (B, K, N, S)
    y = (square.y[..., None] - positions[:, :, None, :, 1]).permute(0, 3, 1, 2)
    ways = torch.stack([won * x[..., None, :], won * y[..., :, None]], dim=2)
    flat = square.y[..., :, None] * size[1] + square.x[..., None, :]
    index = torch.where(square.inside, flat, 0.0).long().flatten(1)[:, None].expand(b, 2 * k, -1)
    target = positions.new_zeros(b, 2 * k, size[0] * size[1])
    weight = torch.zeros_like(target)
    # each cell is won by one animal at most: all else adds 0 to it
    target.scatter_add_(2, index, ways.flatten(3).flatten(1, 2))
    shares = (won * weights[:, None, :, None, None])[:, :, None].expand_as(ways)
    weight.scatter_add_(2, index, shares.flatten(3).flatten(1, 2))
    return target.view(b, 2 * k, *size), weight.view(b, 2 * k, *size)


def _lost(
    known: Tensor, centres: Tensor, weights: Tensor, square: Square, overlap: Overlap
) -> Tensor:
    """Return bool ``(B, N, S, S, K)``: the cell of an animal's square speaks of another animal."""
    b, n, k = known.shape
    low, high = square.low[:, None, None], square.high[:, None, None]  # (B, 1, 1, M, 2)
    x, y = square.x[..., None], square.y[..., None]  # (B, N, S, 1)
    across = (x >= low[..., 0]) & (x < high[..., 0])  # (B, N, S, M)
    down = (y >= low[..., 1]) & (y < high[..., 1])
    rivals = down[:, :, :, None] & across[:, :, None]  # (B, N, S, S, M)
    mine, theirs = weights[:, :, None], weights[:, None]
    order = torch.arange(n, device=known.device)
    later = order > order[:, None]  # (N, M)
    smaller = (theirs > mine) | ((theirs == mine) & later)  # (B, N, M)
    wins = known[:, None]  # (B, 1, M, K): where a rival's keypoint takes the place of mine
    if overlap == "nearest":
        squared_x = (x - centres[:, None, None, :, 0]).square()  # (B, N, S, M)
        squared_y = (y - centres[:, None, None, :, 1]).square()
        way = squared_y[:, :, :, None] + squared_x[:, :, None]  # (B, N, S, S, M)
        own = way.diagonal(dim1=1, dim2=4).permute(0, 3, 1, 2)[..., None]
        rivals = rivals & ((way < own) | ((way == own) & smaller[:, :, None, None]))
    elif overlap == "smallest":
        rivals = rivals & smaller[:, :, None, None]
    else:
        first = known & (known.cumsum(dim=-1) == 1)
        taken = later[..., None] & first[:, None] & (theirs > mine)[..., None]
        kept = ~later[..., None] & ~(first[:, :, None] & (theirs < mine)[..., None])
        wins = wins & (taken | kept) & (order != order[:, None])[..., None]
    counted = rivals.to(centres.dtype).flatten(2, 3)  # (B, N, S * S, M)
    lost = counted @ wins.to(centres.dtype).expand(b, n, n, k) > 0
    return lost.view(b, n, square.y.shape[2], square.x.shape[2], k)
