"""ResNet (He et al., 2016) as in torchvision, with dilation for output strides 8 and 16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torchvision
from torch import Tensor, nn

from dlcreg.contracts import Backbone
from dlcreg.models import weights as weight_files
from dlcreg.models.layers.freezing import fix_statistics, freeze
from dlcreg.registry import BACKBONES

_IMAGENET = {
    18: "resnet18-f37072fd",
    34: "resnet34-b627a593",
    50: "resnet50-11ad3fa6",
    101: "resnet101-cd907fc2",
    152: "resnet152-f82ba261",
}
_STRIDES = (4, 8, 16, 32)


@BACKBONES.register_module()
class ResNet(Backbone):
    """ResNet-18 to 152. Parameters have torchvision's names, so its weights load as they are.

    Bottlenecks stride in their 3x3 convolution. With an output stride of 16 or 8 the last one or
    two stages do not stride but dilate (Chen et al., 2017), as in DeepLabCut.

    Args:
        depth: number of layers.
        output_stride: pixels for each cell of the last stage's map.
        out_indices: stages (0 to 3) whose maps are returned, in rising order; what comes after
            the last of them is left out.
        weights: ``'imagenet'`` (torchvision's, downloaded once), a path, an address, or None for
            random weights.
        frozen_stages: the first so many parts do not learn: 1 is the stem, 2 stem and stage 0, ...
        norm_eval: keep the statistics of batch normalisation as they are, for small batches.

    Raises:
        CheckpointError: the weights cannot be found or do not fit.
    """

    def __init__(
        self,
        depth: Literal[18, 34, 50, 101, 152] = 50,
        output_stride: Literal[8, 16, 32] = 32,
        out_indices: Sequence[int] = (3,),
        weights: str | None = None,
        frozen_stages: int = 0,
        norm_eval: bool = False,
    ) -> None:
        super().__init__()
        if depth not in _IMAGENET:
            raise ValueError(f"depth must be one of {tuple(_IMAGENET)}, not {depth}")
        if output_stride not in (8, 16, 32):
            raise ValueError(f"output_stride must be 8, 16 or 32, not {output_stride}")
        if list(out_indices) != sorted(set(out_indices)) or not set(out_indices) <= {0, 1, 2, 3}:
            raise ValueError(
                f"out_indices must be stages of 0 to 3 in rising order, not {out_indices}"
            )
        if not out_indices:
            raise ValueError("out_indices must name at least one stage of 0 to 3")
        if not 0 <= frozen_stages <= 5:
            raise ValueError(f"frozen_stages must be 0 to 5, not {frozen_stages}")
        network = getattr(torchvision.models, f"resnet{depth}")(weights=None)
        self.conv1, self.bn1, self.relu = network.conv1, network.bn1, network.relu
        self.maxpool = network.maxpool
        if output_stride == 8:
            _dilate(network.layer3, before=1, dilation=2)
            _dilate(network.layer4, before=2, dilation=4)
        elif output_stride == 16:
            _dilate(network.layer4, before=1, dilation=2)
        self.out_indices = tuple(out_indices)
        self._names = ("layer1", "layer2", "layer3", "layer4")[: self.out_indices[-1] + 1]
        for name in self._names:  # stages behind the last map that is asked for are left out
            self.add_module(name, getattr(network, name))
        widths = [64, 128, 256, 512] if depth < 50 else [256, 512, 1024, 2048]
        self.out_channels = tuple(widths[i] for i in self.out_indices)
        self.out_strides = tuple(min(_STRIDES[i], output_stride) for i in self.out_indices)
        self.size_divisor = self.out_strides[-1]
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        if weights is not None:
            self._load(depth, weights)
        self.train()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps ``(B, C, h, w)`` of the chosen stages, finest first."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))  # (B, 64, H/4, W/4)
        features = []
        for index, stage in enumerate(self._stages()):
            x = stage(x)
            if index in self.out_indices:
                features.append(x)
        return tuple(features)

    def train(self, mode: bool = True) -> ResNet:
        """Choose training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        stem: list[nn.Module] = [self.conv1, self.bn1]
        parts = [stem, *([stage] for stage in self._stages())]
        for part in parts[: self.frozen_stages]:
            freeze(part)
        if self.norm_eval:
            fix_statistics(self)
        return self

    def _stages(self) -> tuple[nn.Module, ...]:
        return tuple(getattr(self, name) for name in self._names)

    def _load(self, depth: int, weights: str) -> None:
        if weights == "imagenet":
            weights = f"https://download.pytorch.org/models/{_IMAGENET[depth]}.pth"
        if weight_files.on_meta(self):  # a config is checked: there is nowhere to put them
            return weight_files.look_for(weights)
        state = weight_files.read_state(weights)
        weight_files.load_state(self, state, name=weights, ignore=["fc.", *_missing(self._names)])


def _missing(names: Sequence[str]) -> list[str]:
    return [f"layer{stage}." for stage in range(len(names) + 1, 5)]


def _dilate(stage: nn.Module, before: int, dilation: int) -> None:
    """Make a stage keep its resolution: the first block has the dilation of the stage before."""
    for index, block in enumerate(stage.children()):
        rate = before if index == 0 else dilation
        for layer in block.modules():
            if isinstance(layer, nn.Conv2d):
                layer.stride = (1, 1)
                if layer.kernel_size == (3, 3):
                    layer.dilation = layer.padding = (rate, rate)
