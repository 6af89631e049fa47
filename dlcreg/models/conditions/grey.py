"""All keypoints of a condition in one map, not told apart."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcreg.contracts import ConditionEncoder, Size
from dlcreg.models.conditions.blobs import Blur, Pen, Placement
from dlcreg.models.conditions.picture import Picture, Scale
from dlcreg.registry import CONDITION_ENCODERS


@CONDITION_ENCODERS.register_module()
class GreyKeypoints(ConditionEncoder):
    """One map with a blob for each keypoint, whichever it is.

    The original's, which published weights need, comes of ``channels=3, peak=255, blur="cv2",
    placement="buctd", scale="image", whole=True``.

    Args:
        num_keypoints: number of keypoints K.
        sigma: of a blob, pixels.
        peak: the brightest value.
        placement: see `dlcreg.models.conditions.blobs.Pen`.
        blur: likewise.
        scale: see `ColoredKeypoints`.
        channels: how many times the map is given.
        whole: cut the values to integers.

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
        scale: Scale = "keypoint",
        channels: int = 1,
        whole: bool = False,
    ) -> None:
        super().__init__()
        for name, count in (("num_keypoints", num_keypoints), ("channels", channels)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, not {count}")
        self.num_keypoints = num_keypoints
        self.out_channels = channels
        self.picture = Picture(Pen(sigma, placement, blur), scale, peak)
        self.whole = whole

    def draw(self, condition: Tensor, size: Size) -> Tensor:
        """Return maps ``(B, channels, H, W)`` of values from 0 to `peak`."""
        white = torch.ones(condition.shape[1], 1, device=condition.device)
        grey = self.picture.draw(condition, size, white)
        return (grey.trunc() if self.whole else grey).expand(-1, self.out_channels, -1, -1)
