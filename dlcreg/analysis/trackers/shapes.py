"""What is measured of animals whose keypoints were found: boxes and ellipses."""

from __future__ import annotations

import numpy as np

from dlcreg.similarity import thick_sides


def extents(keypoints: np.ndarray, boxes: np.ndarray | None, least: float) -> np.ndarray:
    """Return boxes around animals ``(M, 4)`` x, y of the middle, width, height.

    Args:
        keypoints: float ``(M, K, 2)``, NaN where not found; none is NaN throughout.
        boxes: ``(M, 4)`` x, y, width, height; those that are finite are taken as they are.
        least: pixels that a side is long at least; and it is a quarter of the other one.
    """
    low, high = np.fmin.reduce(keypoints, axis=1), np.fmax.reduce(keypoints, axis=1)
    middle, sides = (low + high) / 2, high - low
    if boxes is not None:
        known = np.isfinite(boxes).all(axis=1, keepdims=True)
        middle = np.where(known, boxes[:, :2] + boxes[:, 2:] / 2, middle)
        sides = np.where(known, boxes[:, 2:], sides)
    return np.concatenate([middle, thick_sides(sides, least)], axis=1)


def box_overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return intersection over union ``(T, M)`` of boxes ``(T, 4)`` and ``(M, 4)``.

    Boxes are x, y of the middle, width, height; a negative side counts as none.
    """
    first, second = first[:, None], second[None]
    sides_1, sides_2 = np.maximum(first[..., 2:], 0), np.maximum(second[..., 2:], 0)
    high = np.minimum(first[..., :2] + sides_1 / 2, second[..., :2] + sides_2 / 2)
    low = np.maximum(first[..., :2] - sides_1 / 2, second[..., :2] - sides_2 / 2)
    common = np.maximum(high - low, 0).prod(axis=-1)
    union = sides_1.prod(axis=-1) + sides_2.prod(axis=-1) - common
    return np.asarray(common / np.maximum(union, np.spacing(1.0)))


def ellipses(keypoints: np.ndarray, least: float) -> np.ndarray:
    """Return the ellipses of animals ``(M, 5)``: x, y of the mean, and a symmetric matrix.

    The matrix ``[[a, c], [c, b]]``, as a, b, c, is the square root of the keypoints' covariance.
    Its entries are pixels, and whatever a filter makes of them is an ellipse.

    Args:
        keypoints: float ``(M, K, 2)``, NaN where not found; none is NaN throughout.
        least: pixels that an axis is long at least; a standard deviation is a quarter of an axis.
    """
    found = np.isfinite(keypoints)
    count = found.sum(axis=1)
    mean = np.where(found, keypoints, 0).sum(axis=1) / count
    off = np.where(found, keypoints - mean[:, None], 0)
    covariance = np.einsum("mki,mkj->mij", off, off) / count[..., None]
    (a, b), c = np.moveaxis(np.diagonal(covariance, axis1=1, axis2=2), -1, 0), covariance[:, 0, 1]
    # Levinger (1980): the root of a symmetric 2 x 2 matrix of determinant d and trace t is
    # (matrix + sqrt(d)) / sqrt(t + 2 sqrt(d))
    a, b = a + (least / 4) ** 2, b + (least / 4) ** 2
    root = np.sqrt(np.maximum(a * b - c**2, 0))
    trace = np.sqrt(a + b + 2 * root)
    return np.stack([*mean.T, (a + root) / trace, (b + root) / trace, c / trace], axis=1)


def ellipse_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return one minus the Hellinger distance of ellipses as normal distributions, ``(T, M)``.

    Llerena, Zeni, Kristen, Jung: Gaussian bounding boxes and probabilistic intersection-over-union
    for object detection (2021).

    Args:
        first: ``(T, 5)`` as `ellipses` gives them.
        second: ``(M, 5)``, likewise.
    """
    off = first[:, None, :2] - second[None, :, :2]
    covariance_1, covariance_2 = _squared(first)[:, None], _squared(second)[None]
    a, b, c = np.moveaxis(covariance_1 + covariance_2, -1, 0)
    both = np.maximum(a * b - c**2, np.spacing(1.0))
    apart = (b * off[..., 0] ** 2 + a * off[..., 1] ** 2 - 2 * c * off[..., 0] * off[..., 1]) / both
    each = np.sqrt(np.maximum(_determinant(covariance_1) * _determinant(covariance_2), 0))
    coefficient = np.exp(-apart / 4) * np.sqrt(np.minimum(4 * each / both, 1))
    return np.asarray(1 - np.sqrt(1 - coefficient))


def _squared(ellipses: np.ndarray) -> np.ndarray:
    """Return the covariances ``(..., 3)``, a, b, c, of square roots."""
    a, b, c = np.moveaxis(ellipses[..., 2:], -1, 0)
    return np.stack([a**2 + c**2, b**2 + c**2, c * (a + b)], axis=-1)


def _determinant(covariances: np.ndarray) -> np.ndarray:
    return np.asarray(covariances[..., 0] * covariances[..., 1] - covariances[..., 2] ** 2)
