"""A channel for each keypoint of a condition."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from dlcreg.contracts import ConditionEncoder, Size
from dlcreg.models.conditions.blobs import Blur, Pen, Placement
from dlcreg.registry import CONDITION_ENCODERS


@CONDITION_ENCODERS.register_module()
class StackedKeypoints(ConditionEncoder):
    """A map for each keypoint, with a blob where it is (Zhou et al., 2023).

    By default the blob lies exactly on the keypoint and rises to `peak`. The originals' maps, which
    published weights need, come of ``peak=255, blur="cv2"`` and ``placement="buctd"``, or
    ``placement="deeplabcut", scale="image"``.

    Args:
        num_keypoints: number of keypoints K.
        sigma: of a blob, pixels.
        peak: the brightest value.
        placement: see `dlcreg.models.conditions.blobs.Pen`.
        blur: likewise.
        scale: what is brought to `peak`: each ``keypoint`` for itself; or the ``image``, where a
            blob that a border cuts off outshines the others.
        swap_channels: a drawn map that is mirrored has left and right channels swapped, too, as a
            mirrored animal has; False as BUCTD's flip test does.

    Raises:
        ValueError: values that make no sense.
    """

    def __init__(
        self,
        num_keypoints: int,
        sigma: float = 2.6,
        peak: float = 1.0,
        placement: Placement = "exact",
        blur: Blur = "gaussian",
        scale: Literal["keypoint", "image"] = "keypoint",
        swap_channels: bool = True,
    ) -> None:
        super().__init__()
        if num_keypoints < 1:
            raise ValueError(f"num_keypoints must be at least 1, not {num_keypoints}")
        if scale not in ("keypoint", "image"):
            raise ValueError(f"scale must be 'keypoint' or 'image', not {scale!r}")
        self.num_keypoints = num_keypoints
        self.out_channels = num_keypoints
        self.pen = Pen(sigma, placement, blur)
        self.peak = float(peak)
        self.scale = scale
        self.swap_channels = swap_channels

    def draw(self, condition: Tensor, size: Size) -> Tensor:
        """Return maps ``(B, K, H, W)`` of values from 0 to `peak`."""
        blobs = self.pen.draw(condition, size)
        rows = blobs.rows
        if self.pen.blur == "cv2" or self.scale == "image":
            brightest = blobs.brightest
            if self.scale == "image":
                brightest = brightest.amax(dim=-1, keepdim=True)
            rows = rows / brightest.clamp(min=1e-6)[..., None]
        return (self.peak * rows)[..., None] * blobs.columns[..., None, :]

    def mirror(self, maps: Tensor, flip_index: Tensor) -> Tensor:
        """Return the maps of the mirrored animal, see `swap_channels`."""
        mirrored = maps.flip(-1)
        return mirrored.index_select(1, flip_index) if self.swap_channels else mirrored
