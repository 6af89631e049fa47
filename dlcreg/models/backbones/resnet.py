"""ResNet (He et al., 2016) as in torchvision or TensorFlow, dilated for strides 8 and 16."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

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
_GROUP_NORM_IMAGENET = {
    50: "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-rsb-weights/"
    "resnet50_gn_a1h2-8fe6c4d0.pth"
}
_GROUPS = 32  # Wu and He, 2018


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
        norm: ``batch`` normalisation, or ``group`` normalisation with 32 groups (Wu and He, 2018),
            which knows no statistics; its ``'imagenet'`` weights (depth 50) are timm's
            ``resnet50_gn``, as in DeepLabCut.
        strided_block: block of a stage that strides: the ``first``, or as in TensorFlow's
            ``resnet_v1`` the ``last``, so that stage 0 already ends at stride 8. There the first
            pooling pads at the right and the bottom alone.
        early_dilation: in depths 18 and 34 the second convolution of a block that would have
            strided dilates already, as in timm, and so in DeepLabCut.

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
        norm: Literal["batch", "group"] = "batch",
        strided_block: Literal["first", "last"] = "first",
        early_dilation: bool = False,
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
        if norm not in ("batch", "group"):
            raise ValueError(f"norm must be 'batch' or 'group', not {norm!r}")
        if norm == "group" and norm_eval:
            raise ValueError("norm_eval=True: group normalisation has no statistics to keep")
        if strided_block not in ("first", "last"):
            raise ValueError(f"strided_block must be 'first' or 'last', not {strided_block!r}")
        norm_layer = nn.BatchNorm2d if norm == "batch" else partial(nn.GroupNorm, _GROUPS)
        network = getattr(torchvision.models, f"resnet{depth}")(norm_layer=norm_layer)
        self.conv1, self.bn1, self.relu = network.conv1, network.bn1, network.relu
        self.maxpool = network.maxpool
        if strided_block == "last":
            self.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        stages = (network.layer1, network.layer2, network.layer3, network.layer4)
        strides = _arrange(stages, output_stride, strided_block == "first", early_dilation)
        self.out_indices = tuple(out_indices)
        self._names = ("layer1", "layer2", "layer3", "layer4")[: self.out_indices[-1] + 1]
        for name in self._names:  # stages behind the last map that is asked for are left out
            self.add_module(name, getattr(network, name))
        widths = [64, 128, 256, 512] if depth < 50 else [256, 512, 1024, 2048]
        self.out_channels = tuple(widths[i] for i in self.out_indices)
        self.out_strides = tuple(strides[i] for i in self.out_indices)
        self.size_divisor = self.out_strides[-1]
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        if weights is not None:
            self._load(depth, norm, weights)
        self.train()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps ``(B, C, h, w)`` of the chosen stages, finest first."""
        x = self.stem(images)
        features = []
        for index, stage in enumerate(self.stages()):
            x = stage(x)
            if index in self.out_indices:
                features.append(x)
        return tuple(features)

    def stem(self, images: Tensor) -> Tensor:
        """Return what stage 0 is given: ``(B, 64, H/4, W/4)``."""
        return self.maxpool(self.relu(self.bn1(self.conv1(images))))  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> ResNet:
        """Choose training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        stem: list[nn.Module] = [self.conv1, self.bn1]
        parts = [stem, *([stage] for stage in self.stages())]
        for part in parts[: self.frozen_stages]:
            freeze(part)
        if self.norm_eval:
            fix_statistics(self)
        return self

    def stages(self) -> tuple[nn.Module, ...]:
        """Return the stages as far as they are needed."""
        return tuple(getattr(self, name) for name in self._names)

    def _load(self, depth: int, norm: str, weights: str) -> None:
        if weights == "imagenet" and norm == "group":
            if depth not in _GROUP_NORM_IMAGENET:
                raise ValueError(
                    f"weights='imagenet' with norm='group' is of depth 50, not {depth}"
                )
            weights = _GROUP_NORM_IMAGENET[depth]
        elif weights == "imagenet":
            weights = f"https://download.pytorch.org/models/{_IMAGENET[depth]}.pth"
        if weight_files.on_meta(self):  # a config is checked: there is nowhere to put them
            return weight_files.look_for(weights)
        state = weight_files.read_state(weights)
        weight_files.load_state(self, state, name=weights, ignore=["fc.", *_missing(self._names)])


def _missing(names: Sequence[str]) -> list[str]:
    return [f"layer{stage}." for stage in range(len(names) + 1, 5)]


def _arrange(
    stages: Sequence[nn.Module], output_stride: int, first: bool, early: bool
) -> list[int]:
    """Make stages stride, and beyond the output stride dilate; return the strides of their maps.

    The block that would stride still has the dilation of those before it; where that ends `early`,
    its second convolution, of two, has that of those behind it.
    """
    stride, dilation = 4, 1
    strides = []
    for number, stage in enumerate(stages):
        blocks = list(stage.children())
        # Each stage but the first begins with a stride, or each but the last ends with one.
        strides_here = number > 0 if first else number < len(stages) - 1
        at = 0 if first else len(blocks) - 1
        for index, block in enumerate(blocks):
            strided = strides_here and index == at
            step = 2 if strided and stride < output_stride else 1
            _set_block(block, step, dilation)
            stride *= step
            dilation *= 2 if strided and step == 1 else 1
            if early and isinstance(block, BasicBlock):
                block.conv2.dilation = block.conv2.padding = (dilation, dilation)
        strides.append(stride)
    return strides


def _set_block(block: nn.Module, step: int, dilation: int) -> None:
    """Give a block its stride, in its first 3x3 convolution and its shortcut, and its dilation."""
    assert isinstance(block, (BasicBlock, Bottleneck))
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            layer.dilation = layer.padding = (dilation, dilation)
    (block.conv2 if isinstance(block, Bottleneck) else block.conv1).stride = (step, step)
    if block.downsample is not None:
        block.downsample[0].stride = (step, step)  # type: ignore[index,union-attr,operator]
    elif step > 1:
        block.downsample = nn.MaxPool2d(1, stride=step)
