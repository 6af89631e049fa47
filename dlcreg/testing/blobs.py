"""Samples with a bright spot at each keypoint, so that one can see where keypoints went."""

from __future__ import annotations

import numpy as np

from dlcreg.contracts import Size
from dlcreg.structures import Instances, Meta, Sample
from dlcreg.testing.subject import INFO

SIGMA = 2.5
"""Standard deviation of a spot, pixels."""

START = np.array([[2.0, 0.0, 10.0], [0.0, 2.0, -4.0]])
"""The sample's matrix before a transform: something has happened to it already."""


def blob_sample(size: Size = (120, 160), animals: int = 2) -> Sample:
    """Return a sample with a bright spot at each keypoint; the last one has no label nor spot."""
    height, width = size
    rng = np.random.default_rng(11)
    count = INFO.num_keypoints
    columns = (np.arange(count) + 0.5) * width / count
    rows = (np.arange(animals) + 0.5) * height / max(animals, 1)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1)  # (N, K, 2)
    keypoints = (grid + rng.uniform(-3, 3, grid.shape)).astype(np.float32)
    visibility = np.full((animals, count), 2, np.uint8)
    visibility[:, 3] = 0
    keypoints[visibility == 0] = 0
    image = np.full((height, width), 30.0)
    y, x = np.mgrid[:height, :width]
    for px, py in keypoints[visibility > 0]:
        image += 190 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * SIGMA**2))
    seen = keypoints[:, visibility[0] > 0] if animals else keypoints
    low = seen.min(axis=1) - 8 if animals else np.zeros((0, 2), np.float32)
    high = seen.max(axis=1) + 8 if animals else np.zeros((0, 2), np.float32)
    instances = Instances(
        keypoints=keypoints,
        visibility=visibility,
        boxes=np.concatenate([low, high - low], axis=1).astype(np.float32),
        areas=np.prod(high - low, axis=1).astype(np.float32),
        valid=np.ones(animals, bool),
        ids=np.arange(animals, dtype=np.int64),
        unique=_unique(size),
    )
    pixels = np.repeat(image.round().clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    return Sample(pixels, instances, START.copy(), Meta(0, "blobs.png", (2 * height, 2 * width)))


def _unique(size: Size) -> Instances:
    """Return unique body parts without spots; the last one has no label."""
    assert INFO.unique is not None
    count = INFO.unique.num_keypoints
    keypoints = np.random.default_rng(12).uniform(8, min(size) - 8, (1, count, 2))
    visibility = np.full((1, count), 2, np.uint8)
    visibility[:, -1] = 0
    keypoints[visibility == 0] = 0
    low, high = keypoints[:, :-1].min(axis=1), keypoints[:, :-1].max(axis=1)
    return Instances(
        keypoints=keypoints.astype(np.float32),
        visibility=visibility,
        boxes=np.concatenate([low, high - low], axis=1).astype(np.float32),
        areas=np.prod(high - low, axis=1).astype(np.float32),
        valid=np.ones(1, bool),
        ids=np.full(1, -1, np.int64),
    )


def spot_near(image: np.ndarray, point: np.ndarray, sigma: float) -> np.ndarray | None:
    """Return where the spot around `point` really is, as x, y.

    None where that cannot be told, since part of it would lie outside the image; NaN where there
    is no spot.

    Args:
        image: ``(H, W, 3)``.
        point: where it should be, x, y.
        sigma: standard deviation of the spot in this image.
    """
    height, width = image.shape[:2]
    reach = max(3, int(np.ceil(3.5 * sigma)))
    column, row = np.rint(point).astype(int)
    if not (reach <= column < width - reach and reach <= row < height - reach):
        return None
    window = image[row - reach : row + reach + 1, column - reach : column + reach + 1]
    grey = window.astype(np.float64).mean(axis=2)
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    contrast = np.abs(grey - np.median(edge))
    whole = float(np.ptp(image.astype(np.float64).mean(axis=2)))
    if contrast.max() < 0.25 * whole:
        return np.full(2, np.nan)
    mass = np.clip(contrast - 0.3 * contrast.max(), 0, None)
    y, x = np.mgrid[row - reach : row + reach + 1, column - reach : column + reach + 1]
    return np.array([(mass * x).sum(), (mass * y).sum()]) / mass.sum()
