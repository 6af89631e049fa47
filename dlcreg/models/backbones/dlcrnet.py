"""DLCRNet: a ResNet whose early features reach the head beside its last ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from dlcreg.contracts import Backbone
from dlcreg.models.backbones.resnet import ResNet
from dlcreg.models.layers.deconvolution import Deconvolution
from dlcreg.models.layers.freezing import freeze_norms
from dlcreg.models.layers.multi_fusion import Engine, doubled, fusion_branch, resized
from dlcreg.registry import BACKBONES

_BANK = 2  # the third block of stage 1 gives the second bank


@BACKBONES.register_module()
class DLCRNet(Backbone):
    """Multi-fusion ResNet (Lauer et al., 2022): one map of late features and two banks of early.

    The first bank is what stage 0 gives (stride 4), the second what the third block of stage 1
    gives (stride 8), or its last where there are fewer. Convolutions of stride 2 bring both to the
    stride of the last stage and `fused_channels` each: 128 + 128 + 2048 channels with ResNet-50.

    Two engines of DeepLabCut fuse in different ways. ``tensorflow``, that of the paper, pads and
    normalises without a factor; ``pytorch`` pads nothing, has a bias before each normalisation and
    resizes the banks to the map of the last stage. The snapshots of both need options that are
    left out of a model that learns anew: `detach_banks`, `frozen_norms`, `strided_block`,
    `batch_statistics` and `pixel_mean`.

    Args:
        depth: number of layers of the ResNet.
        output_stride: pixels for each cell of the last stage; 16 with ``engine="tensorflow"``.
        engine: how the banks are brought together, see above.
        fused_channels: channels of each bank in the end.
        upsampled_channels: channels of a transposed convolution that doubles the map in the end,
            with ReLU; 128 in the published variant of stride 4. None: no such layer.
        upsampled_norm: batch normalisation before that ReLU. Without it most of these channels can
            end as 0 at the learning rates of a training from random weights. The published variant,
            which learns slowly from known weights, has none.
        weights: of the ResNet, see `ResNet`.
        frozen_stages: of the ResNet: the first so many parts do not learn.
        norm_eval: keep the statistics of the ResNet's batch normalisation as they are.
        frozen_norms: no batch normalisation learns or keeps statistics, the new ones neither, as in
            DeepLabCut's PyTorch engine.
        detach_banks: no gradient goes through the banks into the ResNet, as in DeepLabCut's
            PyTorch engine. By default it flows, as in the paper's.
        strided_block: see `ResNet`. With the ``last``, as in DeepLabCut's TensorFlow engine, both
            banks lie at stride 8, and the first is doubled before it is halved twice.
        batch_statistics: normalise the banks by the statistics of the batch in evaluation mode,
            too, as in DeepLabCut's TensorFlow engine: poses then depend on what else is in the
            batch. For ``engine="tensorflow"``.
        pixel_mean: mean of each channel, for values of 0 to 255, that is subtracted here; images
            then come as values of 0 to 255, as in DeepLabCut's TensorFlow engine (123.68, 116.779,
            103.939). None: images come normalised.

    Raises:
        CheckpointError: the weights cannot be found or do not fit.
    """

    pixel_mean: Tensor | None

    def __init__(
        self,
        depth: Literal[18, 34, 50, 101, 152] = 50,
        output_stride: Literal[16, 32] = 16,
        engine: Engine = "tensorflow",
        fused_channels: int = 128,
        upsampled_channels: int | None = None,
        upsampled_norm: bool = False,
        weights: str | None = None,
        frozen_stages: int = 0,
        norm_eval: bool = False,
        frozen_norms: bool = False,
        detach_banks: bool = False,
        strided_block: Literal["first", "last"] = "first",
        batch_statistics: bool = False,
        pixel_mean: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        _check(output_stride, engine, fused_channels, upsampled_channels, batch_statistics)
        if upsampled_norm and upsampled_channels is None:
            raise ValueError("upsampled_norm=True needs upsampled_channels: there is no such layer")
        self.resnet = ResNet(
            depth,
            output_stride,
            out_indices=(0, 1, 3),
            weights=weights,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            strided_block=strided_block,
        )
        first, second, last = self.resnet.out_channels
        blocks = len(list(self.resnet.stages()[1].children()))
        before_stride = blocks - 1 if strided_block == "last" else blocks
        self.bank = min(_BANK, before_stride - 1)
        self.fuse1 = fusion_branch(first, fused_channels, 2, engine, batch_statistics)
        self.fuse2 = fusion_branch(second, fused_channels, 1, engine, batch_statistics)
        width = last + 2 * fused_channels
        self.upsample = nn.Sequential()
        if upsampled_channels is not None:
            self.upsample.append(Deconvolution(width, upsampled_channels))
            if upsampled_norm:
                self.upsample.append(nn.BatchNorm2d(upsampled_channels))
            self.upsample.append(nn.ReLU(inplace=True))
        self.out_channels = (upsampled_channels or width,)
        self.out_strides = (output_stride // (2 if upsampled_channels else 1),)
        self.size_divisor = output_stride
        self.doubles = engine == "tensorflow" and strided_block == "last"
        self.frozen_norms = frozen_norms
        self.detach_banks = detach_banks
        self.register_buffer("pixel_mean", _as_channels(pixel_mean), persistent=False)
        if pixel_mean is not None:
            self.image_mean, self.image_std = (0.0,) * 3, (1 / 255,) * 3
        self.train()

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return one map ``(B, C, h, w)`` of images ``(B, 3, H, W)``."""
        if self.pixel_mean is not None:
            images = images - self.pixel_mean
        stage0, stage1, stage2, stage3 = self.resnet.stages()
        x = second = first = stage0(self.resnet.stem(images))  # (B, C1, H/4, W/4)
        for index, block in enumerate(stage1.children()):
            x = block(x)
            if index == self.bank:
                second = x  # (B, C2, H/8, W/8)
        x = stage3(stage2(x))  # (B, C4, H/16, W/16)
        if self.detach_banks:
            first, second = first.detach(), second.detach()
        first = self.fuse1(doubled(first) if self.doubles else first)
        banks = [resized(bank, x.shape[-2:]) for bank in (first, self.fuse2(second))]
        return (self.upsample(torch.cat([*banks, x], dim=1)),)

    def train(self, mode: bool = True) -> DLCRNet:
        """Choose training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        if self.frozen_norms:
            freeze_norms(self)
        return self


def _check(
    output_stride: int, engine: str, fused: int, upsampled: int | None, batch_statistics: bool
) -> None:
    if engine not in ("pytorch", "tensorflow"):
        raise ValueError(f"engine must be 'pytorch' or 'tensorflow', not {engine!r}")
    if output_stride not in (16, 32):
        raise ValueError(f"output_stride must be 16 or 32, not {output_stride}")
    if output_stride == 32 and engine == "tensorflow":
        raise ValueError("output_stride=32 needs engine='pytorch', which resizes the banks")
    if batch_statistics and engine == "pytorch":
        raise ValueError("batch_statistics=True needs engine='tensorflow'")
    if fused < 1 or (upsampled is not None and upsampled < 1):
        raise ValueError(
            f"fused_channels and upsampled_channels must be at least 1: {fused}, {upsampled}"
        )


def _as_channels(values: Sequence[float] | None) -> Tensor | None:
    if values is None:
        return None
    if len(values) != 3:
        raise ValueError(f"pixel_mean needs 3 values, not {values}")
    return torch.tensor(values).view(1, 3, 1, 1)
