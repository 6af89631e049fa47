"""The backbone that does nothing."""

from __future__ import annotations

from torch import Tensor

from dlcreg.contracts import Backbone
from dlcreg.registry import BACKBONES


@BACKBONES.register_module()
class IdentityBackbone(Backbone):
    """Hands the normalised images on as they are, for heads that look at pixels themselves.

    TokenPose-T is such a model: its head cuts the image into patches of 16 x 12 pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.out_channels = (3,)
        self.out_strides = (1,)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the images ``(B, 3, H, W)`` as their only feature map."""
        return (images,)
