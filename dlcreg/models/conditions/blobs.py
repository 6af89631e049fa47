"""Blobs around the keypoints of a condition, told by their profiles along each axis.

Shapes: B crops, K keypoints, H x W pixels.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from dlcreg.contracts import Size

Placement = Literal["exact", "buctd", "deeplabcut"]
Blur = Literal["gaussian", "cv2"]


class Blobs(NamedTuple):
    """What is drawn for the keypoints of a batch: the outer products of `rows` and `columns`.

    Args:
        rows: float ``(B, K, H)``, 0 for a keypoint that is not drawn.
        columns: float ``(B, K, W)``.
        brightest: float ``(B, K)``, the largest value of each blob; 0 where there is none.
        pixel: int64 ``(B, K)``, number of the pixel that it lies on, row by row; meaningless where
            there is none.
    """

    rows: Tensor
    columns: Tensor
    brightest: Tensor
    pixel: Tensor


class Pen:
    """How a keypoint is drawn: where, and with which blur.

    Args:
        sigma: of the blob, pixels.
        placement: ``exact``: where the keypoint is, between pixels too, as long as it lies on one
            of them. As the originals do, its coordinates are cut to integers, and the pixel one up
            and one to the left is drawn; ``buctd`` (Zhou et al., 2023): of those from 1 on;
            ``deeplabcut``: of those from 0 on, which at 0 comes out at the opposite border.
        blur: ``gaussian``, or the finite one of ``cv2.GaussianBlur`` with a kernel of 15 pixels for
            a sigma of 2.6, mirrored at the borders, for a keypoint that lies on a pixel.

    Raises:
        ValueError: values that do not fit one another.
    """

    def __init__(self, sigma: float, placement: Placement, blur: Blur) -> None:
        if not sigma > 0:
            raise ValueError(f"sigma must be above 0 pixels, not {sigma:g}")
        if placement not in ("exact", "buctd", "deeplabcut"):
            raise ValueError(
                f"placement must be 'exact', 'buctd' or 'deeplabcut', not {placement!r}"
            )
        if blur not in ("gaussian", "cv2"):
            raise ValueError(f"blur must be 'gaussian' or 'cv2', not {blur!r}")
        if blur == "cv2" and placement == "exact":
            raise ValueError(
                "blur='cv2' spreads a pixel, and placement='exact' lies between them: take "
                "blur='gaussian' or another placement"
            )
        if blur == "cv2" and sigma <= 0.5:
            raise ValueError(f"blur='cv2' needs a sigma above 0.5, not {sigma:g}")
        self.sigma = float(sigma)
        self.placement = placement
        self.blur = blur

    def draw(self, condition: Tensor, size: Size) -> Blobs:
        """Return the blobs of keypoints; those without a score above 0, or outside, have none.

        Args:
            condition: ``(B, K, 3)`` x, y, score in pixels; coordinates of keypoints without a score
                mean nothing and may be NaN.
            size: H and W.
        """
        condition = condition.to(torch.promote_types(condition.dtype, torch.float32))
        points, scores = condition[..., :2], condition[..., 2]
        limits = points.new_tensor([size[1], size[0]])
        if self.placement == "exact":
            drawn = (points >= -0.5) & (points < limits - 0.5)
        elif self.placement == "buctd":
            drawn = (points >= 1) & (points < limits)
        else:
            drawn = (points >= 0) & (points <= limits)
        known = drawn.all(dim=-1) & (scores > 0)  # what is NaN is neither
        points = points.masked_fill(~known[..., None], 0.0)
        if self.placement != "exact":
            points = (points.trunc() - 1).remainder(limits)
        nearest = points.round().long()
        columns, rows = (
            self._profiles(points[..., axis], nearest[..., axis], length)
            for axis, length in ((0, size[1]), (1, size[0]))
        )
        rows = rows * known[..., None]
        brightest = rows.amax(dim=-1) * columns.amax(dim=-1)
        return Blobs(rows, columns, brightest, nearest[..., 1] * size[1] + nearest[..., 0])

    def _profiles(self, places: Tensor, pixels: Tensor, length: int) -> Tensor:
        """Return the blobs along one axis, ``(B, K, length)``."""
        if self.blur == "cv2":
            # where nothing is drawn the pixel may lie outside
            return self._spread(places, length)[pixels.clamp(0, length - 1)]
        along = torch.arange(length, device=places.device)
        return torch.exp((along - places[..., None]).square() / (-2 * self.sigma**2))

    def _spread(self, like: Tensor, length: int) -> Tensor:
        """Return what becomes of a line with one bright pixel: one row for each of the pixels."""
        radius = round((self.sigma - 0.8) / 0.3 + 1)
        taps = torch.arange(-radius, radius + 1, device=like.device)
        weights = torch.exp(taps.to(like.dtype).square() / (-2 * self.sigma**2))
        along = torch.arange(length, device=like.device)
        period = max(2 * (length - 1), 1)
        source = (along[:, None] + taps).remainder(period)
        source = torch.minimum(source, period - source)  # mirrored at the borders
        spread = like.new_zeros(length, length)
        spread = spread.scatter_add(1, source, (weights / weights.sum()).expand(length, -1))
        return spread.T
