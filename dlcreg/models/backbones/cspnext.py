"""CSPNeXt (Lyu et al., 2022), the backbone of RTMDet and RTMPose."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dlcreg.contracts import Backbone
from dlcreg.models import weights as weight_files
from dlcreg.models.layers.conv_module import ConvModule
from dlcreg.models.layers.freezing import fix_statistics, freeze
from dlcreg.registry import BACKBONES

_WIDTHS = (64, 128, 256, 512, 1024)  # of the stem and of each stage
_BLOCKS = (3, 6, 6, 3)
_STRIDES = (4, 8, 16, 32)


@BACKBONES.register_module()
class CSPNeXt(Backbone):
    """CSPNeXt-P5. Parameters have the names of mmpose, so its weights load as they are.

    | | t | s | m | l | x |
    |---|---|---|---|---|---|
    | deepen_factor | 0.167 | 0.33 | 0.67 | 1 | 1.33 |
    | widen_factor | 0.375 | 0.5 | 0.75 | 1 | 1.25 |

    Args:
        deepen_factor: of the number of blocks of each stage, which are 3, 6, 6 and 3.
        widen_factor: of the channels, which are 64 after the stem and 128 to 1024 after the stages.
        out_indices: stages (0 to 3: strides 4, 8, 16, 32) whose maps are returned, in rising
            order; what comes after the last of them is left out.
        weights: path or address of a file of mmpose or mmdet, of a backbone alone or of a whole
            model; None for random weights.
        frozen_stages: the first so many parts do not learn: 1 is the stem, 2 stem and stage 0, ...
        norm_eval: keep the statistics of batch normalisation as they are, for small batches.

    Raises:
        ValueError: a factor that is not above 0, or stages that do not exist.
        CheckpointError: the weights cannot be found or do not fit.
    """

    def __init__(
        self,
        deepen_factor: float = 0.67,
        widen_factor: float = 0.75,
        out_indices: Sequence[int] = (3,),
        weights: str | None = None,
        frozen_stages: int = 0,
        norm_eval: bool = False,
    ) -> None:
        super().__init__()
        for name, factor in (("deepen_factor", deepen_factor), ("widen_factor", widen_factor)):
            if not 0 < factor <= 8:
                raise ValueError(f"{name} must be above 0 and at most 8, not {factor:g}")
        if not out_indices or list(out_indices) != sorted(set(out_indices) & {0, 1, 2, 3}):
            raise ValueError(
                f"out_indices must be stages of 0 to 3 in rising order, not {out_indices}"
            )
        if not 0 <= frozen_stages <= 5:
            raise ValueError(f"frozen_stages must be 0 to 5, not {frozen_stages}")
        widths = [int(width * widen_factor) for width in _WIDTHS]
        if widths[0] < 4:
            raise ValueError(f"widen_factor={widen_factor:g} leaves {widths[0]} channels")
        half = widths[0] // 2
        self.stem = nn.Sequential(
            ConvModule(3, half, 3, stride=2),
            ConvModule(half, half, 3),
            ConvModule(half, widths[0], 3),
        )
        self.out_indices = tuple(out_indices)
        self._names = [f"stage{number}" for number in range(1, self.out_indices[-1] + 2)]
        for i, name in enumerate(self._names):
            blocks = max(round(_BLOCKS[i] * deepen_factor), 1)
            self.add_module(name, _stage(widths[i], widths[i + 1], blocks, last=i == 3))
        self.out_channels = tuple(widths[i + 1] for i in self.out_indices)
        self.out_strides = tuple(_STRIDES[i] for i in self.out_indices)
        self.size_divisor = self.out_strides[-1]
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        if weights is not None:
            self._load(weights)
        self.train()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps ``(B, C, h, w)`` of the chosen stages, finest first."""
        x = self.stem(images)  # (B, C, H/2, W/2)
        features = []
        for index, name in enumerate(self._names):
            x = self.get_submodule(name)(x)
            if index in self.out_indices:
                features.append(x)
        return tuple(features)

    def train(self, mode: bool = True) -> CSPNeXt:
        """Choose training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        parts = [self.stem, *(self.get_submodule(name) for name in self._names)]
        for part in parts[: self.frozen_stages]:
            freeze([part])
        if self.norm_eval:
            fix_statistics(self)
        return self

    def _load(self, weights: str) -> None:
        if weight_files.on_meta(self):  # a config is checked: there is nowhere to put them
            return weight_files.look_for(weights)
        state = weight_files.read_state(weights)
        own = {k[len("backbone.") :]: v for k, v in state.items() if k.startswith("backbone.")}
        left_out = [f"stage{number}." for number in range(len(self._names) + 1, 5)]
        weight_files.load_state(self, own or state, name=weights, ignore=["head.", *left_out])


def _stage(in_channels: int, channels: int, blocks: int, last: bool) -> nn.Sequential:
    """Return a convolution of stride 2 and a `CSPLayer`; the last stage pools in between."""
    pooling = [SPPBottleneck(channels)] if last else []
    return nn.Sequential(
        ConvModule(in_channels, channels, 3, stride=2),
        *pooling,
        CSPLayer(channels, blocks, shortcut=not last),
    )


class SPPBottleneck(nn.Module):
    """Spatial pyramid pooling: the largest values within 5, 9 and 13 cells (Bochkovskiy, 2020).

    Args:
        channels: channels of input and output.
        kernels: sizes of the windows in cells.
    """

    def __init__(self, channels: int, kernels: Sequence[int] = (5, 9, 13)) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = ConvModule(channels, half)
        self.poolings = nn.ModuleList(nn.MaxPool2d(k, stride=1, padding=k // 2) for k in kernels)
        self.conv2 = ConvModule(half * (len(kernels) + 1), channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, C, h, w)``."""
        x = self.conv1(x)
        return self.conv2(torch.cat([x, *(pooling(x) for pooling in self.poolings)], dim=1))  # type: ignore[no-any-return]


class CSPLayer(nn.Module):
    """Half of the channels through blocks, half past them, then attention over all channels.

    Args:
        channels: channels of input and output.
        blocks: number of blocks.
        shortcut: whether each block adds its input.
    """

    def __init__(self, channels: int, blocks: int, shortcut: bool) -> None:
        super().__init__()
        half = channels // 2
        self.main_conv = ConvModule(channels, half)
        self.short_conv = ConvModule(channels, half)
        self.blocks = nn.Sequential(*(CSPNeXtBlock(half, shortcut) for _ in range(blocks)))
        self.attention = ChannelAttention(2 * half)
        self.final_conv = ConvModule(2 * half, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, C, h, w)``."""
        both = torch.cat([self.blocks(self.main_conv(x)), self.short_conv(x)], dim=1)
        return self.final_conv(self.attention(both))  # type: ignore[no-any-return]


class CSPNeXtBlock(nn.Module):
    """A 3x3 convolution, then a depthwise 5x5 and a pointwise one.

    Args:
        channels: channels of input and output.
        shortcut: whether the input is added.
    """

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = ConvModule(channels, channels, 3)
        self.conv2 = nn.Sequential()
        self.conv2.add_module("depthwise_conv", ConvModule(channels, channels, 5, groups=channels))
        self.conv2.add_module("pointwise_conv", ConvModule(channels, channels))
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, C, h, w)``."""
        out = self.conv2(self.conv1(x))
        return out + x if self.shortcut else out  # type: ignore[no-any-return]


class ChannelAttention(nn.Module):
    """Weighs channels by a gate made of their means over the map.

    Args:
        channels: channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, C, h, w)``."""
        return x * self.gate(self.fc(x.mean(dim=(2, 3), keepdim=True)))
