"""One picture of the blobs of all keypoints."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from dlcreg.contracts import Size
from dlcreg.models.conditions.blobs import Blobs, Pen

Scale = Literal["keypoint", "image"]


class Picture:
    """How the blobs of all keypoints are put into one picture.

    Args:
        pen: how one is drawn.
        scale: what is brought to `peak`: each ``keypoint``, or the brightest value of the
            ``image``.
        peak: the brightest value.

    Raises:
        ValueError: an unknown scale.
    """

    def __init__(self, pen: Pen, scale: Scale, peak: float) -> None:
        if scale not in ("keypoint", "image"):
            raise ValueError(f"scale must be 'keypoint' or 'image', not {scale!r}")
        self.pen = pen
        self.scale = scale
        self.peak = float(peak)

    def draw(self, condition: Tensor, size: Size, colors: Tensor) -> Tensor:
        """Return ``(B, C, H, W)``.

        Args:
            condition: ``(B, K, 3)``, see `Pen.draw`.
            size: H and W.
            colors: float ``(K, C)``, from 0 to 1.
        """
        blobs = self.pen.draw(condition, size)
        rows = blobs.rows
        if self.scale == "image":
            rows = rows * ~_hidden(blobs)[..., None]
        elif self.pen.blur == "cv2":
            rows = rows / blobs.brightest.clamp(min=1e-6)[..., None]
        inks = rows[..., None, :] * colors.to(rows)[..., None]  # (B, K, C, H)
        picture = inks.flatten(2).mT @ blobs.columns  # (B, C * H, W): summed over keypoints
        picture = picture.unflatten(1, (-1, size[0]))
        if self.scale == "keypoint":
            return self.peak * picture.clamp(max=1)
        return picture * (self.peak / picture.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6))


def _hidden(blobs: Blobs) -> Tensor:
    """Return bool ``(B, K)``: whether a later keypoint is drawn on the same pixel."""
    same = blobs.pixel[..., :, None] == blobs.pixel[..., None, :]
    later = (same & (blobs.brightest > 0)[..., None, :]).triu(diagonal=1)
    return later.any(dim=-1)
