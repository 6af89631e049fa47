"""Disentangled keypoint regression: a branch for each keypoint, which looks where it wants."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from dlcreg.contracts import Codec, Head, Loss
from dlcreg.models.layers.adaptive import AdaptiveBlock
from dlcreg.registry import HEADS

_OUTPUTS = ("heatmap", "offset")


@HEADS.register_module()
class DEKRHead(Head):
    """The two heads of DEKR (Geng et al., 2021), for any number of animals in an image.

    One gives heatmaps of the keypoints and of the centres of the animals, the other in each cell
    the way from it to every keypoint of the animal whose centre is there. For the latter each
    keypoint has channels of its own and adaptive blocks, which find the part of the image that
    tells where it is; all keypoints are computed at once.

    Args:
        in_channels: channels of the feature map.
        in_strides: pixels for each cell of the feature map.
        num_keypoints: number of keypoints K.
        codec: makes targets and poses of ``heatmap`` and ``offset``, such as `DEKROffsets`.
        losses: for ``heatmap`` and ``offset``.
        heatmap_channels: channels between the feature map and the heatmaps; the width of HRNet in
            the original.
        heatmap_blocks: residual blocks before the heatmaps.
        offset_channels: channels of each keypoint's branch.
        offset_blocks: adaptive blocks of each keypoint's branch.

    Raises:
        ValueError: values that make no sense, or a codec of other outputs.
    """

    def __init__(
        self,
        in_channels: int,
        in_strides: int,
        num_keypoints: int,
        codec: Codec,
        losses: dict[str, Loss],
        heatmap_channels: int = 32,
        heatmap_blocks: int = 1,
        offset_channels: int = 15,
        offset_blocks: int = 2,
    ) -> None:
        if not isinstance(num_keypoints, int) or num_keypoints < 1:
            raise ValueError(f"num_keypoints must be an int of at least 1, not {num_keypoints!r}")
        for name, count in (
            ("heatmap_channels", heatmap_channels),
            ("offset_channels", offset_channels),
        ):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, not {count}")
        if min(heatmap_blocks, offset_blocks) < 0:
            raise ValueError("heatmap_blocks and offset_blocks must be at least 0")
        channels = codec.output_channels(num_keypoints)
        if tuple(channels) != _OUTPUTS or channels["offset"] % num_keypoints:
            raise ValueError(
                f"{type(codec).__name__} speaks of {', '.join(channels)}; DEKRHead makes heatmap "
                "and offset: take a codec such as DEKROffsets"
            )
        super().__init__(codec, losses, stride=in_strides)
        self.num_keypoints = num_keypoints
        self.heatmap = nn.Sequential(
            *_reduction(in_channels, heatmap_channels),
            *(BasicBlock(heatmap_channels, heatmap_channels) for _ in range(heatmap_blocks)),
            nn.Conv2d(heatmap_channels, channels["heatmap"], 1),
        )
        width = num_keypoints * offset_channels
        self.offset = nn.Sequential(
            *_reduction(in_channels, width),
            *(AdaptiveBlock(num_keypoints, offset_channels) for _ in range(offset_blocks)),
            nn.Conv2d(width, channels["offset"], 1, groups=num_keypoints),
        )
        self._initialise()

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return ``heatmap`` and ``offset`` ``(B, C, h, w)`` of the one map of `features`."""
        (x,) = features
        return {"heatmap": self.heatmap(x), "offset": self.offset(x)}

    def _initialise(self) -> None:
        """As the original: small weights, and taps that begin at the cell itself."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.001)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        for layer in self.modules():
            if isinstance(layer, AdaptiveBlock):
                layer.initialise()


def _reduction(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
