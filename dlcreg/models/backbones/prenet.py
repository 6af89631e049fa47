"""A condition laid over the image, for a backbone that knows nothing of it."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dlcreg.contracts import Backbone, ConditionEncoder
from dlcreg.models.layers.freezing import freeze_norms
from dlcreg.models.layers.wrapped import adopt
from dlcreg.registry import BACKBONES


@BACKBONES.register_module()
class PreNet(Backbone):
    """The preNet of BUCTD (Zhou et al., 2023), in front of any backbone.

    Convolutions make an image of three channels of the real one, and another one of the condition;
    the backbone sees their sum. It is a small cost: 11,787 parameters for three channels.

    Args:
        backbone: any backbone of images.
        encoder: draws the condition.
        channels: between the two convolutions of the image.
        frozen_norms: batch normalisation that neither learns nor keeps statistics, as in
            DeepLabCut's snapshots: ``own``: that of these layers; ``all``: the backbone's, too.
            None: all of it learns.
    """

    def __init__(
        self,
        backbone: Backbone,
        encoder: ConditionEncoder,
        channels: int = 64,
        frozen_norms: Literal["own", "all"] | None = None,
    ) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"channels must be at least 1, not {channels}")
        if frozen_norms not in (None, "own", "all"):
            raise ValueError(f"frozen_norms must be 'own', 'all' or None, not {frozen_norms!r}")
        self.encoder = encoder
        self.image = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, 3, 7, padding=3),
            nn.BatchNorm2d(3),
        )
        self.condition = nn.Sequential(
            nn.Conv2d(encoder.out_channels, 3, 7, padding=3), nn.BatchNorm2d(3)
        )
        self.backbone = backbone
        adopt(self, backbone)
        self.frozen_norms = frozen_norms
        self.train()

    def forward(  # type: ignore[override]
        self, images: Tensor, condition: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the backbone's maps ``(B, C, h, w)``, finest first.

        Args:
            images: ``(B, 3, H, W)``.
            condition: keypoints ``(B, K, 3)``, or a map ``(B, C, H, W)`` as the encoder draws it.
        """
        drawn = self.encoder(condition, images.shape[-2:]).to(images.dtype)
        return self.backbone(self.image(images) + self.condition(drawn))  # type: ignore[no-any-return]

    def mirror_condition(self, condition: Tensor, flip_index: Tensor) -> Tensor:
        """Return a drawn condition of the mirrored images, see `MirrorsCondition`."""
        return self.encoder.mirror(condition, flip_index)

    def train(self, mode: bool = True) -> PreNet:
        """Choose training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        if self.frozen_norms is not None:
            freeze_norms(self.image)
            freeze_norms(self.condition)
        if self.frozen_norms == "all":
            freeze_norms(self.backbone)
        return self
