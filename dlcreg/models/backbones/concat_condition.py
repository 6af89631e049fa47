"""A condition beside the features of a backbone, for whatever comes behind it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg.contracts import Backbone, ConditionEncoder
from dlcreg.models.layers.wrapped import adopt
from dlcreg.registry import BACKBONES


@BACKBONES.register_module()
class ConcatCondition(Backbone):
    """Feature maps of any backbone with further channels that tell a condition.

    With HRNet and a transformer on the cells of its map it is the TransPose of BUCTD (Zhou et al.,
    2023): each token knows what part of the condition lies there.

    Args:
        backbone: any backbone of images.
        encoder: draws the condition, which is then brought to the size of each map.
        condition_channels: channels that a 1x1 convolution makes of the condition for each map.
        channels: channels that a 1x1 convolution makes of the features before. None: they are taken
            as they are.
        antialias: average the pixels of the condition that a cell covers. False as BUCTD does: a
            map of stride 16 then misses what lies between its cells.
    """

    def __init__(
        self,
        backbone: Backbone,
        encoder: ConditionEncoder,
        condition_channels: int = 16,
        channels: int | None = None,
        antialias: bool = True,
    ) -> None:
        super().__init__()
        for name, count in (("condition_channels", condition_channels), ("channels", channels)):
            if count is not None and count < 1:
                raise ValueError(f"{name} must be at least 1, not {count}")
        adopt(self, backbone)
        widths = self.out_channels
        self.encoder = encoder
        self.backbone = backbone
        self.reduce = nn.ModuleList(
            nn.Identity() if channels is None else nn.Conv2d(width, channels, 1, bias=False)
            for width in widths
        )
        self.condition = nn.ModuleList(
            nn.Conv2d(encoder.out_channels, condition_channels, 1, bias=False) for _ in widths
        )
        self.out_channels = tuple((channels or width) + condition_channels for width in widths)
        self.antialias = antialias

    def forward(  # type: ignore[override]
        self, images: Tensor, condition: Tensor
    ) -> tuple[Tensor, ...]:
        """Return maps ``(B, C, h, w)``, finest first, the condition's channels last.

        Args:
            images: ``(B, 3, H, W)``.
            condition: keypoints ``(B, K, 3)``, or a map ``(B, C, H, W)`` as the encoder draws it.
        """
        drawn = self.encoder(condition, images.shape[-2:]).to(images.dtype)
        maps = []
        for x, reduce, known in zip(self.backbone(images), self.reduce, self.condition):
            small = F.interpolate(drawn, x.shape[-2:], mode="bilinear", antialias=self.antialias)
            maps.append(torch.cat([reduce(x), known(small)], dim=1))
        return tuple(maps)

    def mirror_condition(self, condition: Tensor, flip_index: Tensor) -> Tensor:
        """Return a drawn condition of the mirrored images, see `MirrorsCondition`."""
        return self.encoder.mirror(condition, flip_index)
