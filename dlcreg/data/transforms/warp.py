"""Moving an image and its labels by one matrix.

A matrix is float64 ``(2, 3)`` and maps pixels of the old image to pixels of the new one; pixel
centres have integer coordinates.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from dlcreg.contracts import Size, Transform
from dlcreg.structures import Instances, Sample

Border = Literal["constant", "reflect", "replicate"]
"""What stands outside the image: the fill value, its mirror image, or its outermost pixels."""

_CV_BORDER = {
    "constant": cv2.BORDER_CONSTANT,
    "reflect": cv2.BORDER_REFLECT_101,
    "replicate": cv2.BORDER_REPLICATE,
}


@dataclass(frozen=True)
class Warp:
    """A move of the image.

    Args:
        matrix: float64 ``(2, 3)``, old pixels to new pixels.
        size: height and width of the new image.
        border: what fills the area outside the old image, and its value where constant;
            None where the move has no opinion, or needs none.
        fill: grey value of a constant border.
        swap: int64 ``(K,)``, for each keypoint the old index that takes its place.
    """

    matrix: np.ndarray
    size: Size
    border: Border | None = None
    fill: int = 0
    swap: np.ndarray | None = None


class GeometricTransform(Transform):
    """A transform that moves the image by a matrix: say the matrix, the rest follows.

    A `Pipeline` composes consecutive ones and samples the image once.
    """

    @abstractmethod
    def warp(self, size: Size, instances: Instances, rng: np.random.Generator) -> Warp | None:
        """Return the move, or None for none.

        Args:
            size: height and width of the image as it is now.
            instances: its labels, numpy arrays.
            rng: the only source of randomness.
        """

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Move image, labels and `Sample.matrix`."""
        warp = self.warp(sample.image.shape[:2], sample.instances, rng)
        return sample if warp is None else move(sample, warp)


def move(sample: Sample, warp: Warp) -> Sample:
    """Return the sample moved by `warp`."""
    return move_labels(replace(sample, image=warp_image(sample.image, warp)), warp)


def move_labels(sample: Sample, warp: Warp) -> Sample:
    """Return the sample with labels, neighbours, condition and matrix moved, the image left."""
    condition = sample.condition
    if condition is not None:
        condition = condition.copy()
        condition[:, :2] = apply(warp.matrix, condition[:, :2])
        condition[condition[:, 2] <= 0] = 0
        if warp.swap is not None:
            condition = condition[warp.swap]
    neighbours = sample.neighbours
    if neighbours is not None:
        neighbours = move_instances(neighbours, warp.matrix, warp.swap)
    return replace(
        sample,
        instances=move_instances(sample.instances, warp.matrix, warp.swap),
        matrix=compose(sample.matrix, invert(warp.matrix)),
        condition=condition,
        neighbours=neighbours,
    )


def move_instances(
    instances: Instances, matrix: np.ndarray, swap: np.ndarray | None = None
) -> Instances:
    """Return the labels in pixels of the new image; unique body parts, too, but for a swap.

    Whether twins among those change places is for the `Pipeline` to say, which knows them.
    """
    keypoints, visibility = apply(matrix, instances.keypoints), instances.visibility
    if swap is not None:
        keypoints, visibility = keypoints[:, swap], visibility[:, swap]
    keypoints[visibility == 0] = 0
    low, extent = instances.boxes[:, :2], instances.boxes[:, 2:]
    unit = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    corners = apply(matrix, low[:, None] + extent[:, None] * unit)  # (N, 4, 2)
    low, high = corners.min(axis=1), corners.max(axis=1)
    scale = np.float32(abs(np.linalg.det(matrix[:, :2])))
    unique = instances.unique
    return replace(
        instances,
        keypoints=keypoints,
        visibility=visibility,
        boxes=np.concatenate([low, high - low], axis=1),
        areas=instances.areas * scale,
        unique=None if unique is None else move_instances(unique, matrix),
    )


def warp_image(image: np.ndarray, warp: Warp) -> np.ndarray:
    """Return the moved image, sampled linearly and without aliasing.

    Where the matrix shrinks by about an integer factor of 2 or more, the image is first averaged
    over blocks of that side, so that no pixel of the original is skipped; a pure integer shrink
    is exactly the mean of the blocks. A pure shift by whole pixels copies.

    Args:
        image: ``(H, W, 3)``, uint8 or float32.
        warp: the move. Without a border of its own the outermost pixels are repeated: what only
            resizes and flips looks at most half a pixel outside.
    """
    size, border, fill = warp.size, warp.border or "replicate", warp.fill
    backward = invert(warp.matrix)
    if border != "reflect" or _inside(backward, size, image.shape[:2]):
        image, backward = _region(image, backward, size)
    shrink = shrink_of(backward, image.shape[:2])
    if shrink > 1:
        image, backward = _average(image, backward, shrink)
    shifted = _copied(image, backward, size)
    if shifted is not None:
        return shifted
    return cv2.warpAffine(
        image,
        backward,
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=_CV_BORDER[border],
        borderValue=(fill, fill, fill),
    )


def shrink_of(backward: np.ndarray, size: Size) -> int:
    """Return the side of the blocks that an image is averaged over before it is sampled; 1: none.

    Args:
        backward: float64 ``(2, 3)``, new pixels to old pixels.
        size: height and width of the old image.
    """
    # the epsilon keeps 1 / 0.4 from rounding one way here and another way there
    side = round(float(np.sqrt(abs(np.linalg.det(backward[:, :2])))) - 1e-6)
    return side if 2 <= side <= min(size) else 1


def _corners(size: Size) -> np.ndarray:
    height, width = size
    return np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float64)


def _inside(backward: np.ndarray, size: Size, source: Size) -> bool:
    seen = apply(backward, _corners(size))
    return bool((seen >= 0).all() and (seen <= [source[1] - 1, source[0] - 1]).all())


def _region(image: np.ndarray, backward: np.ndarray, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Cut the image to the part that is looked at: a crop need not average a whole frame."""
    seen = apply(backward, _corners(size))
    margin = np.ceil(np.abs(backward[:, :2]).sum()) + 2
    limit = np.array(image.shape[1::-1])
    low = np.clip(np.floor(seen.min(axis=0) - margin), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0) + margin) + 1, low + 1, limit).astype(int)
    backward = backward.copy()
    backward[:, 2] -= low
    return image[low[1] : high[1], low[0] : high[0]], backward


def _average(image: np.ndarray, backward: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    height, width = image.shape[:2]
    bottom, right = -height % side, -width % side
    if bottom or right:
        image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    shrunk = ((width + right) // side, (height + bottom) // side)
    image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    backward = backward / side
    backward[:, 2] -= (side - 1) / (2 * side)  # the centre of block 0 is at (side - 1) / 2
    return image, backward


def _copied(image: np.ndarray, backward: np.ndarray, size: Size) -> np.ndarray | None:
    if not np.allclose(backward[:, :2], np.eye(2), atol=1e-9):
        return None
    shift = np.rint(backward[:, 2])
    if not np.allclose(backward[:, 2], shift, atol=1e-6):
        return None
    x, y = shift.astype(int)
    height, width = size
    if x < 0 or y < 0 or y + height > image.shape[0] or x + width > image.shape[1]:
        return None
    return image[y : y + height, x : x + width].copy()


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points ``(..., 2)`` moved by the matrix, in the dtype they came in."""
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    return moved.astype(points.dtype, copy=False)


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return the matrix that moves as `inner` does and then as `outer` does."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.column_stack([linear, outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def invert(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix that moves back."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])
