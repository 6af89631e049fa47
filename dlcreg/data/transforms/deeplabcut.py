"""Crops and sizes of images to the pixel as DeepLabCut 3 has them, for what was trained with it.

DeepLabCut brings the outlines of two images upon one another and the coordinates of their pixel
centres as well, which lie half a pixel inside: where it changes the size of an image, its
keypoints stand up to half a pixel beside what they mark. A network that has learnt so is to be
shown images, and read, in the same way. For one that learns anew there are `CropInstance` and
`Resize`, which move image and keypoints by one matrix.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from dlcreg.contracts import Transform
from dlcreg.data.transforms.arguments import size_of
from dlcreg.data.transforms.warp import Warp, move_labels
from dlcreg.registry import TRANSFORMS
from dlcreg.structures import Sample


@TRANSFORMS.register_module()
class DeepLabCutCrop(Transform):
    """The top-down crop of DeepLabCut 3 (Lauer et al., 2022): a box in whole pixels, resized.

    Args:
        size: height and width of the crop, pixels.
        margin: pixels more on each side of the box.
        context: show what surrounds the box where it is widened to the aspect of `size`. False as
            in conditioned models: the box alone is cut out, and the rest is black.

    Raises:
        ValueError: a margin below 0, or a size that is none.
    """

    def __init__(self, size: tuple[int, int], margin: float = 0.0, context: bool = True) -> None:
        if margin < 0:
            raise ValueError(f"margin is a number of pixels from 0 on, not {margin:g}")
        self.size, self.margin, self.context = size_of(size), margin, context

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the crop of the sample's first animal; of the whole image where there is none."""
        high, wide = sample.image.shape[:2]
        boxes = sample.instances.boxes
        box = boxes[0] if len(boxes) else np.array([0, 0, wide, high], np.float32)
        region = self._region(box, (high, wide))
        width, height = region.right - region.left, region.bottom - region.top
        cut = np.zeros((height, width, sample.image.shape[2]), sample.image.dtype)
        left, top = max(region.seen_left, 0), max(region.seen_top, 0)
        right, bottom = min(region.seen_right, wide), min(region.seen_bottom, high)
        if right > left and bottom > top:
            inside = sample.image[top:bottom, left:right]
            x, y = left - region.left, top - region.top
            cut[y : y + bottom - top, x : x + right - left] = inside
        rows, columns = self.size
        image = cv2.resize(cut, (columns, rows), interpolation=cv2.INTER_LINEAR)
        offset = np.array([region.left, region.top], np.float64)
        return _moved(sample, image, np.array([columns / width, rows / height]), offset)

    def _region(self, box: np.ndarray, size: tuple[int, int]) -> _Region:
        """Return what is cut out; in the precision of a box, which its rounding hangs on."""
        rows, columns = self.size
        x, y, w, h = (np.float32(value) for value in box)
        centre_x, centre_y = x + w / 2, y + h / 2
        w, h = w + 2 * np.float32(self.margin), h + 2 * np.float32(self.margin)
        aspect = columns / rows
        if self.context:
            given = w / max(h, np.float32(1e-6))
            if given > aspect:
                h = w / np.float32(aspect)
            elif given < aspect:
                w = h * np.float32(aspect)
        left, right = (round(float(centre_x + side * w / 2)) for side in (-1, 1))
        top, bottom = (round(float(centre_y + side * h / 2)) for side in (-1, 1))
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        region = _Region(left, top, right, bottom, left, top, right, bottom)
        return region if self.context else _widened(region, size, aspect)


class _Region(NamedTuple):
    """What is cut out of an image, and what of it is seen; pixels of the image."""

    left: int
    top: int
    right: int
    bottom: int
    seen_left: int
    seen_top: int
    seen_right: int
    seen_bottom: int


def _widened(region: _Region, size: tuple[int, int], aspect: float) -> _Region:
    """Return a region with black beside it, so that it has about the aspect."""
    left, top, right, bottom = region[:4]
    width = max(min(right, size[1]) - max(left, 0), 1)
    height = max(min(bottom, size[0]) - max(top, 0), 1)
    x = y = 0
    if width / height > aspect:
        y = int(width - height * aspect) // 2
    elif width / height < aspect:
        x = int(height - width / aspect) // 2
    return region._replace(left=left - x, right=right + x, top=top - y, bottom=bottom + y)


@TRANSFORMS.register_module()
class DeepLabCutResize(Transform):
    """The change of size of DeepLabCut 3. Give one of `size` and `longest`.

    Args:
        size: new height and width.
        longest: new length of the longer side.
        keep_ratio: with `size`: fit into it without distortion, black at the right or the bottom.

    Raises:
        ValueError: not one of the two, or a length below 1.
    """

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        longest: int | None = None,
        keep_ratio: bool = True,
    ) -> None:
        if (size is None) == (longest is None):
            raise ValueError("give exactly one of size and longest")
        if longest is not None and longest < 1:
            raise ValueError(f"longest must be at least 1 pixel, not {longest}")
        self.size = None if size is None else size_of(size)
        self.longest, self.keep_ratio = longest, keep_ratio

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample in its new size."""
        high, wide = sample.image.shape[:2]
        rows, columns = self._rows_and_columns(high, wide)
        image = sample.image
        if (rows, columns) != (high, wide):
            image = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
        if self.size is not None and self.size != (rows, columns):
            below, beside = (max(a - b, 0) for a, b in zip(self.size, (rows, columns)))
            image = np.pad(image, ((0, below), (0, beside), (0, 0)))
        return _moved(sample, image, np.array([columns / wide, rows / high]), np.zeros(2))

    def _rows_and_columns(self, high: int, wide: int) -> tuple[int, int]:
        """Return the size of what is seen of the image."""
        if self.longest is not None:
            factor = self.longest / float(max(high, wide))
            return (max(1, round(high * factor)), max(1, round(wide * factor)))
        assert self.size is not None
        if not self.keep_ratio:
            return self.size
        factor = min(self.size[0] / high, self.size[1] / wide)
        return max(1, int(high * factor)), max(1, int(wide * factor))


def _moved(sample: Sample, image: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> Sample:
    """Return the sample with another image, where pixel x became ``(x - offset) * scale``."""
    matrix = np.column_stack([np.diag(scale), -offset * scale])
    size = (image.shape[0], image.shape[1])
    return move_labels(replace(sample, image=image), Warp(matrix, size))
