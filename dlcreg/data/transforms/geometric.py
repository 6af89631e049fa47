"""The geometric transforms: each says a matrix, and a `Pipeline` samples the image once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from dlcreg.contracts import Size
from dlcreg.data.transforms.arguments import (
    Range,
    pairs_of,
    probability,
    range_of,
    size_of,
    swap_of,
)
from dlcreg.data.transforms.warp import Border, GeometricTransform, Warp
from dlcreg.registry import TRANSFORMS
from dlcreg.structures import Instances


@TRANSFORMS.register_module()
class Affine(GeometricTransform):
    """Random rotation, scale, shift and shear about the centre of the image; its size is kept.

    Args:
        rotation: degrees, clockwise as one looks at the image, drawn evenly from
            ``(low, high)``; one number r means ``(-r, r)``.
        scale: factor, from ``(low, high)``; one number is used as it is.
        translate: shift as a share of width and of height, from ``(low, high)``; one number t
            means ``(-t, t)``.
        shear: degrees, as `rotation`.
        p: probability that anything is done.
        border: what fills the area outside the image.
        fill: grey value of a constant border.

    Raises:
        ValueError: a range that runs backwards, or a scale that is not positive.
    """

    def __init__(
        self,
        rotation: Range = 0.0,
        scale: Range = 1.0,
        translate: Range = 0.0,
        shear: Range = 0.0,
        p: float = 1.0,
        border: Border = "constant",
        fill: int = 0,
    ) -> None:
        self.rotation = range_of("rotation", rotation, mirrored=True)
        self.scale = range_of("scale", scale, mirrored=False)
        self.translate = range_of("translate", translate, mirrored=True)
        self.shear = range_of("shear", shear, mirrored=True)
        self.p, self.border, self.fill = probability(p), border, fill
        if self.scale[0] <= 0:
            raise ValueError(f"scale must be positive, not {scale}")

    def warp(self, size: Size, instances: Instances, rng: np.random.Generator) -> Warp | None:
        """Return rotation, scale, shear and shift about the centre."""
        if rng.random() >= self.p:
            return None
        angle, shear = np.deg2rad([rng.uniform(*self.rotation), rng.uniform(*self.shear)])
        scale = rng.uniform(*self.scale)
        shift = rng.uniform(*self.translate, size=2) * [size[1], size[0]]
        cos, sin = np.cos(angle), np.sin(angle)
        linear = scale * np.array([[cos, -sin], [sin, cos]]) @ [[1.0, np.tan(shear)], [0.0, 1.0]]
        centre = (np.array([size[1], size[0]]) - 1) / 2
        matrix = np.column_stack([linear, centre + shift - linear @ centre])
        return Warp(matrix, size, self.border, self.fill)


@TRANSFORMS.register_module()
class Crop(GeometricTransform):
    """A window of fixed size; where the image is smaller, the border fills the window.

    Args:
        size: height and width of the window, pixels.
        position: ``random`` within the image, ``center``, or ``keypoint``: centred on a labelled
            keypoint drawn at random, shifted by up to `max_shift`, so that few windows are empty.
        max_shift: for ``keypoint``, the largest shift as a share of the window.
        border: what fills the area outside the image.
        fill: grey value of a constant border.
    """

    def __init__(
        self,
        size: tuple[int, int],
        position: Literal["random", "center", "keypoint"] = "random",
        max_shift: float = 0.4,
        border: Border = "constant",
        fill: int = 0,
    ) -> None:
        self.size = size_of(size)
        self.position, self.max_shift = position, max_shift
        self.border, self.fill = border, fill

    def warp(self, size: Size, instances: Instances, rng: np.random.Generator) -> Warp | None:
        """Return the shift to the window, whole pixels."""
        window = np.array(self.size[::-1])
        room = np.array(size[::-1]) - window
        start = np.floor(room / 2)
        if self.position == "random":
            start = np.where(room > 0, rng.integers(0, np.maximum(room, 0), endpoint=True), start)
        elif self.position == "keypoint":
            start = self._around_keypoint(instances, start, room, window, rng)
        matrix = np.column_stack([np.eye(2), -start.astype(np.float64)])
        return Warp(matrix, self.size, self.border, self.fill)

    def _around_keypoint(
        self,
        instances: Instances,
        start: np.ndarray,
        room: np.ndarray,
        window: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        labelled = instances.keypoints[instances.visibility > 0]
        if not instances.keypoints.shape[-2]:
            labelled = instances.boxes[:, :2] + (instances.boxes[:, 2:] - 1) / 2
        if not len(labelled):
            return start
        point = labelled[rng.integers(len(labelled))]
        shift = rng.uniform(-self.max_shift, self.max_shift, size=2) * window
        wanted = np.rint(point + shift - (window - 1) / 2)
        return np.where(room > 0, np.clip(wanted, 0, np.maximum(room, 0)), start)


@TRANSFORMS.register_module()
class CropInstance(GeometricTransform):
    """The top-down crop: the box of the sample's first animal, with some surrounding.

    The short side of the box is widened to the aspect of `size`, both are multiplied by
    `padding`, and the box's centre comes to the middle of the crop (Xiao et al. 2018, as in the
    code of HRNet).

    Args:
        size: height and width of the crop, pixels.
        padding: how much larger than the box the cropped area is.
        border: what fills the area outside the image.
        fill: grey value of a constant border.
        align: what of the padded box comes to lie on the same of the crop: its sides, from 0 to
            width (``sides``), or the centres of its corner pixels, from 0 to width - 1
            (``corners``), as in the code of DARK, TransPose and TokenPose. With ``udp`` its sides
            come to lie on the centres of the crop's corner pixels (Huang et al., 2020), as in
            ViTPose, so that scales along x and y differ a little.
    """

    def __init__(
        self,
        size: tuple[int, int],
        padding: float = 1.25,
        border: Border = "constant",
        fill: int = 0,
        align: Literal["sides", "corners", "udp"] = "sides",
    ) -> None:
        self.size, self.padding = size_of(size), float(padding)
        self.border, self.fill = border, fill
        if align not in ("sides", "corners", "udp"):
            raise ValueError(f"align must be 'sides', 'corners' or 'udp', not {align!r}")
        self.align = align
        if self.padding <= 0:
            raise ValueError(f"padding must be positive, not {padding}")

    def warp(self, size: Size, instances: Instances, rng: np.random.Generator) -> Warp | None:
        """Return shift and scale of the box to the crop."""
        height, width = self.size
        x, y, w, h = map(float, instances.boxes[0]) if len(instances) else (0, 0, *size[::-1])
        side = max(w, h * width / height, 1.0) * self.padding  # in x, after widening
        less = 1 if self.align == "corners" else 0  # of the box, and of the crop
        fewer = 0 if self.align == "sides" else 1
        scale_x = (width - fewer) / max(side - less, 1.0)
        scale_y = (height - 1) / (side * height / width) if self.align == "udp" else scale_x
        left = (width - fewer) / 2 - scale_x * (x + (w - less) / 2)
        top = (height - fewer) / 2 - scale_y * (y + (h - less) / 2)
        matrix = np.array([[scale_x, 0, left], [0, scale_y, top]])
        return Warp(matrix, self.size, self.border, self.fill)


@TRANSFORMS.register_module()
class Resize(GeometricTransform):
    """Change the number of pixels. Give exactly one of `size`, `scale` and `longest`.

    Args:
        size: new height and width.
        scale: factor on both sides.
        longest: new length of the longer side.
        keep_ratio: with `size`: fit into it without distortion and fill the rest, at the right
            or at the bottom.
        fill: grey value of that rest.

    Raises:
        ValueError: not exactly one of the three is given.
    """

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        scale: float | None = None,
        longest: int | None = None,
        keep_ratio: bool = False,
        fill: int = 0,
    ) -> None:
        if sum(value is not None for value in (size, scale, longest)) != 1:
            raise ValueError("give exactly one of size, scale and longest")
        for name, value in (("scale", scale), ("longest", longest)):
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive, not {value}")
        self.size = None if size is None else size_of(size)
        self.scale, self.longest = scale, longest
        self.keep_ratio, self.fill = keep_ratio, fill

    def warp(self, size: Size, instances: Instances, rng: np.random.Generator) -> Warp | None:
        """Return the scale that maps the image's outline to the new one."""
        target, sx, sy = self._target(size)
        if (sx, sy) == (1.0, 1.0) and target == size:
            return None
        # outlines, not centres of the corner pixels, fall upon one another
        matrix = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2]])
        return Warp(matrix, target, "constant" if self.keep_ratio else None, self.fill)

    def _target(self, size: Size) -> tuple[Size, float, float]:
        height, width = size
        if self.size is not None:
            sy, sx = self.size[0] / height, self.size[1] / width
            if self.keep_ratio:
                sx = sy = min(sx, sy)
            return self.size, sx, sy
        factor = self.scale or self.longest / max(height, width)  # type: ignore[operator]
        target = max(1, round(height * factor)), max(1, round(width * factor))
        return target, target[1] / width, target[0] / height


@TRANSFORMS.register_module()
class Pad(GeometricTransform):
    """Grow the image, never shrink it. Give exactly one of `size` and `divisor`.

    Args:
        size: least height and width.
        divisor: height and width become multiples of it.
        position: where the image stands in the larger one.
        border: what fills the new area.
        fill: grey value of a constant border.

    Raises:
        ValueError: not exactly one of the two is given.
    """

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        divisor: int | None = None,
        position: Literal["top_left", "center"] = "top_left",
        border: Border = "constant",
        fill: int = 0,
    ) -> None:
        if (size is None) == (divisor is None):
            raise ValueError("give exactly one of size and divisor")
        if divisor is not None and divisor < 1:
            raise ValueError(f"divisor must be at least 1, not {divisor}")
        self.size = None if size is None else size_of(size)
        self.divisor, self.position = divisor, position
        self.border, self.fill = border, fill

    def warp(self, size: Size, instances: Instances, rng: np.random.Generator) -> Warp | None:
        """Return the shift into the larger image, or None where it is large enough."""
        if self.size is not None:
            target = max(size[0], self.size[0]), max(size[1], self.size[1])
        else:
            target = size[0] + -size[0] % self.divisor, size[1] + -size[1] % self.divisor  # type: ignore[operator]
        if target == tuple(size):
            return None
        shift = np.zeros(2)
        if self.position == "center":
            shift = np.array([(target[1] - size[1]) // 2, (target[0] - size[0]) // 2], np.float64)
        return Warp(np.column_stack([np.eye(2), shift]), target, self.border, self.fill)


@TRANSFORMS.register_module()
class Flip(GeometricTransform):
    """Mirror the image at random, and let left and right keypoints change places.

    Args:
        p: probability.
        direction: ``horizontal`` (left to right) or ``vertical``. Both turn a left ear into a
            right one.
        flip_pairs: pairs of indices of left and right twins; None: the data set's.
        num_keypoints: wired from the data set.
    """

    def __init__(
        self,
        p: float = 0.5,
        direction: Literal["horizontal", "vertical"] = "horizontal",
        flip_pairs: Sequence[tuple[int, int]] | None = None,
        num_keypoints: int | None = None,
    ) -> None:
        self.p, self.direction = probability(p), direction
        self.mirrors = self.p > 0
        self.flip_pairs = pairs_of(flip_pairs, num_keypoints)

    def warp(self, size: Size, instances: Instances, rng: np.random.Generator) -> Warp | None:
        """Return the mirror image with its swap, or None."""
        if rng.random() >= self.p:
            return None
        matrix = np.array([[1.0, 0, 0], [0, 1.0, 0]])
        axis = 0 if self.direction == "horizontal" else 1
        matrix[axis] = -matrix[axis]
        matrix[axis, 2] = size[1 - axis] - 1
        swap = swap_of(self.flip_pairs, instances.keypoints.shape[1])
        return Warp(matrix, size, swap=swap)
