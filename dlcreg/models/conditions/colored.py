"""All keypoints of a condition in one picture, told apart by their colours."""

from __future__ import annotations

from torch import Tensor

from dlcreg.contracts import ConditionEncoder, Size
from dlcreg.models.conditions.blobs import Blur, Pen, Placement
from dlcreg.models.conditions.colors import Colors, rainbow
from dlcreg.models.conditions.picture import Picture, Scale
from dlcreg.registry import CONDITION_ENCODERS


@CONDITION_ENCODERS.register_module()
class ColoredKeypoints(ConditionEncoder):
    """A picture of three channels, with a blob in the keypoint's colour (Zhou et al., 2023).

    By default a blob lies exactly on the keypoint, colours come from the whole rainbow, and those
    of blobs that overlap add up to white. The originals' pictures, which published weights need,
    come of ``peak=255, blur="cv2", scale="image"`` and ``placement`` and ``colors`` both
    ``"buctd"`` or ``"deeplabcut"``.

    Args:
        num_keypoints: number of keypoints K.
        sigma: of a blob, pixels.
        peak: the brightest value.
        placement: see `dlcreg.models.conditions.blobs.Pen`.
        blur: likewise.
        scale: what is brought to `peak`: the colours of each ``keypoint``, whatever else there is;
            or the brightest value of the ``image``, so that a keypoint's colour depends on all
            others, and of several on one pixel the last counts alone.
        colors: see `dlcreg.models.conditions.colors.rainbow`.

    Raises:
        ValueError: values that make no sense.
    """

    colors: Tensor

    def __init__(
        self,
        num_keypoints: int,
        sigma: float = 2.6,
        peak: float = 1.0,
        placement: Placement = "exact",
        blur: Blur = "gaussian",
        scale: Scale = "keypoint",
        colors: Colors = "even",
    ) -> None:
        super().__init__()
        self.num_keypoints = num_keypoints
        self.out_channels = 3
        self.picture = Picture(Pen(sigma, placement, blur), scale, peak)
        self.register_buffer("colors", rainbow(num_keypoints, colors), persistent=False)

    def draw(self, condition: Tensor, size: Size) -> Tensor:
        """Return a picture ``(B, 3, H, W)`` of values from 0 to `peak`."""
        return self.picture.draw(condition, size, self.colors)
