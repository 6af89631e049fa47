"""What adapters to other libraries share: finding the matrix of a transform, and its swap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dlcreg.data.keypoints import Pairs
from dlcreg.data.transforms.arguments import swap_of
from dlcreg.data.transforms.warp import Warp, apply, move_labels
from dlcreg.errors import DataError
from dlcreg.structures import Instances, Sample

Run = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Image and points ``(P, 2)`` to the transformed image and as many points."""

_AFFINE_WITHIN = 0.01  # pixels


def move_along(sample: Sample, run: Run, flip_pairs: Pairs | None, name: str) -> Sample:
    """Return a sample that another library has transformed, with everything that belongs to it.

    Four points, the image's corners, go along with the keypoints and tell the matrix: so boxes,
    areas and `Sample.matrix` follow whatever the library did, and a mirror image (a negative
    determinant) swaps left and right, which no library does.

    Args:
        sample: as it is before.
        run: the library's transform.
        flip_pairs: pairs of indices of left and right twins; None: unknown.
        name: of the library, for messages.

    Raises:
        DataError: points were lost or added, or the image has become what it must not be.
        ValueError: a mirror image without `flip_pairs`.
    """
    height, width = sample.image.shape[:2]
    corners = np.array(
        [[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float32
    )
    labels = sample.instances
    groups = [labels] if labels.unique is None else [labels, labels.unique]
    points = np.concatenate([corners, *(group.keypoints.reshape(-1, 2) for group in groups)])
    image, moved = run(sample.image, points)
    if len(moved) != len(points):
        raise DataError(
            f"{name} gave {len(moved)} points back for {len(points)}; leave out the transform that "
            "adds or drops keypoints"
        )
    image = _checked(image, name)
    sample = replace(sample, image=image)
    if np.array_equal(moved, points):
        return sample
    matrix = _fitted(corners.astype(np.float64), moved[:4].astype(np.float64))
    swap = None
    if np.linalg.det(matrix[:, :2]) < 0:
        swap = swap_of(flip_pairs, labels.keypoints.shape[1])
    sample = move_labels(sample, Warp(matrix, image.shape[:2], swap=swap))
    if np.abs(apply(matrix, corners) - moved[:4]).max() > _AFFINE_WITHIN:
        # a perspective: the matrix is its best fit, the keypoints are where they went
        sample = replace(sample, instances=_exact(sample.instances, moved[4:], swap))
    return sample


def _fitted(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    design = np.column_stack([before, np.ones(len(before))])
    return np.linalg.lstsq(design, after, rcond=None)[0].T


def _exact(labels: Instances, moved: np.ndarray, swap: np.ndarray | None) -> Instances:
    """Return labels, and unique body parts after them, where the points ``(P, 2)`` say they are."""
    own, others = np.split(moved, [labels.keypoints.size // 2])
    keypoints = own.reshape(labels.keypoints.shape).astype(np.float32)
    if swap is not None:
        keypoints = keypoints[:, swap]
    keypoints[labels.visibility == 0] = 0
    unique = None if labels.unique is None else _exact(labels.unique, others, None)
    return replace(labels, keypoints=keypoints, unique=unique)


def _checked(image: np.ndarray, name: str) -> np.ndarray:
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3:
        raise DataError(f"{name} made an image of shape {image.shape}; (H, W, 3) is wanted")
    if image.dtype not in (np.uint8, np.float32):
        raise DataError(f"{name} made an image of {image.dtype}; uint8 or float32 is wanted")
    return image
