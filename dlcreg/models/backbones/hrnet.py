"""HRNet: high-resolution features, with lower resolutions beside them (Sun et al., 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from dlcreg.contracts import Backbone
from dlcreg.contracts.abilities import Between
from dlcreg.models import weights as weight_files
from dlcreg.models.layers.freezing import fix_statistics, freeze
from dlcreg.registry import BACKBONES

_IMAGENET = {
    18: "hrnetv2_w18-8cb57bb9",
    30: "hrnetv2_w30-8d7f8dab",
    32: "hrnetv2_w32-90d8c5fb",
    40: "hrnetv2_w40-7cd397a4",
    44: "hrnetv2_w44-c9ac8c18",
    48: "hrnetv2_w48-abd2e6ab",
    64: "hrnetv2_w64-b47cc881",
}
_IMAGENET_URL = (
    "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-hrnet/{}.pth"
)
_STEM = 64
_STRIDES = (4, 8, 16, 32)
_MODULES = (1, 4, 3)  # of stages 2, 3 and 4
_BLOCKS = 4  # basic blocks of a branch, bottlenecks of layer1


@BACKBONES.register_module()
class HRNet(Backbone):
    """HRNet for poses. Parameters have the published names, so its weights load as they are.

    Args:
        width: channels of the finest branch (18, 32 or 48); each coarser branch has twice as many.
        out_indices: branches (0 to 3: strides 4, 8, 16, 32) whose maps are returned, in rising
            order. With branch 0 alone the last fusion makes no other, as in the pose models.
        weights: ``'imagenet'`` (downloaded once), a path, an address, or None for random weights.
        frozen_stages: the first so many parts do not learn: 1 is the stem, 2 stem and layer1,
            then the three stages.
        norm_eval: keep the statistics of batch normalisation as they are, for small batches.
        stages: how many stages there are. Each but the first adds a branch; TransPose and
            TokenPose take the features of 3 stages, or of stem and layer1 alone (1: one map of 256
            channels).
        full_fusion: the last fusion makes every branch even where branch 0 alone is returned, for
            weights of timm and DeepLabCut, which have its parameters. No gradient reaches those.

    Raises:
        CheckpointError: the weights cannot be found or do not fit.
    """

    def __init__(
        self,
        width: int = 32,
        out_indices: Sequence[int] = (0,),
        weights: str | None = None,
        frozen_stages: int = 0,
        norm_eval: bool = False,
        stages: Literal[1, 2, 3, 4] = 4,
        full_fusion: bool = False,
    ) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1 channel, not {width}")
        if stages not in (1, 2, 3, 4):
            raise ValueError(f"stages must be 1 to 4, not {stages}")
        if not out_indices or list(out_indices) != sorted(set(out_indices) & set(range(stages))):
            raise ValueError(
                f"out_indices must be branches of 0 to {stages - 1} in rising order, not "
                f"{out_indices}"
            )
        if not 0 <= frozen_stages <= stages + 1:
            raise ValueError(f"frozen_stages must be 0 to {stages + 1}, not {frozen_stages}")
        widths = [width * 2**i for i in range(stages)] if stages > 1 else [4 * _STEM]
        self.conv1 = nn.Conv2d(3, _STEM, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.conv2 = nn.Conv2d(_STEM, _STEM, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(_STEM)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _bottlenecks()
        self.out_indices = tuple(out_indices)
        self.stages = stages
        for number in range(2, stages + 1):
            before = widths[: number - 1] if number > 2 else [4 * _STEM]
            alone = number == stages and self.out_indices == (0,) and not full_fusion
            setattr(self, f"transition{number - 1}", _transition(before, widths[:number]))
            setattr(self, f"stage{number}", _stage(widths[:number], _MODULES[number - 2], alone))

        self.out_channels = tuple(widths[i] for i in self.out_indices)
        self.out_strides = tuple(_STRIDES[i] for i in self.out_indices)
        self.size_divisor = _STRIDES[stages - 1]
        self.branch_channels = [widths[:number] for number in range(2, stages + 1)] + [widths]
        self.branch_strides = _STRIDES[:stages]
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self._initialise()
        if weights is not None:
            self._load(width, weights)
        self.train()

    def forward(self, images: Tensor, between: Between | None = None) -> tuple[Tensor, ...]:
        """Return the maps ``(B, C, h, w)`` of the chosen branches, finest first.

        Args:
            images: ``(B, 3, H, W)``.
            between: changes the branches' maps before each stage but the first, and behind the
                last, see `HasBranches`.
        """
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.relu(self.bn2(self.conv2(x)))  # (B, 64, H/4, W/4)
        branches = [self.layer1(x)]  # (B, 256, H/4, W/4)
        for position, (transition, stage) in enumerate(self._later_stages()):
            # The new branch, and whatever else there is beyond, comes from the coarsest one.
            branches = [
                layer(branches[min(i, len(branches) - 1)])
                for i, layer in enumerate(transition)  # type: ignore[arg-type]
            ]
            if between is not None:
                branches = between(position, branches)
            branches = stage(branches)
        if between is not None:
            branches = between(self.stages - 1, branches)
        return tuple(branches[i] for i in self.out_indices)

    def train(self, mode: bool = True) -> HRNet:
        """Choose training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        parts: list[list[nn.Module]] = [
            [self.conv1, self.bn1, self.conv2, self.bn2],
            [self.layer1],
            *([transition, stage] for transition, stage in self._later_stages()),
        ]
        for part in parts[: self.frozen_stages]:
            freeze(part)
        if self.norm_eval:
            fix_statistics(self)
        return self

    def _later_stages(self) -> list[tuple[nn.ModuleList, nn.Module]]:
        """Return transition and stage of each stage but the first."""
        return [
            (self.get_submodule(f"transition{i - 1}"), self.get_submodule(f"stage{i}"))  # type: ignore[misc]
            for i in range(2, self.stages + 1)
        ]

    def _initialise(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def _load(self, width: int, weights: str) -> None:
        if weights == "imagenet":
            if width not in _IMAGENET:
                known = ", ".join(map(str, _IMAGENET))
                raise ValueError(f"weights='imagenet' exists for a width of {known}, not {width}")
            weights = _IMAGENET_URL.format(_IMAGENET[width])
        if weight_files.on_meta(self):  # a config is checked: there is nowhere to put them
            return weight_files.look_for(weights)
        state = weight_files.read_state(weights)
        # A classifier has a head of its own, and fuses into all four branches at the end.
        ignore = ["incre_modules.", "downsamp_modules.", "final_layer.", "classifier.", "fc."]
        if self.stages > 1:
            last = f"stage{self.stages}.{_MODULES[self.stages - 2] - 1}.fuse_layers."
            ignore += [f"{last}{i}." for i in range(1, self.stages)]
        ignore += [f"transition{i}." for i in range(self.stages, 4)]
        ignore += [f"stage{i}." for i in range(self.stages + 1, 5)]
        weight_files.load_state(self, state, name=weights, ignore=ignore)


class HRModule(nn.Module):
    """Parallel branches of basic blocks, then a fusion of every branch into every other.

    Args:
        widths: channels of each branch, finest first.
        outputs: number of branches that the fusion makes, from the finest.
    """

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(_BLOCKS))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_fusion(widths, source, to) for source in range(len(widths)))
            for to in range(outputs)
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Return the fused branches of a list of branches ``(B, C, h, w)``, finest first."""
        features = [branch(x) for branch, x in zip(self.branches, features, strict=True)]
        fused = []
        for layers in self.fuse_layers:
            total = layers[0](features[0])  # type: ignore[index]
            for layer, x in zip(layers[1:], features[1:], strict=True):  # type: ignore[index]
                total = total + layer(x)
            fused.append(self.relu(total))
        return fused


def _fusion(widths: Sequence[int], source: int, to: int) -> nn.Module:
    """Return what brings branch `source` to the width and the stride of branch `to`."""
    if source == to:
        return nn.Identity()
    if source > to:
        return nn.Sequential(
            nn.Conv2d(widths[source], widths[to], 1, bias=False),
            nn.BatchNorm2d(widths[to]),
            nn.Upsample(scale_factor=2 ** (source - to), mode="nearest"),
        )
    steps = [_halving(widths[source], widths[source]) for _ in range(to - source - 1)]
    return nn.Sequential(*steps, _halving(widths[source], widths[to], relu=False))


def _halving(in_channels: int, out_channels: int, relu: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def _stage(widths: Sequence[int], modules: int, alone: bool) -> nn.Sequential:
    """Return a stage; its last module makes the finest branch `alone`, or all."""
    outputs = [len(widths)] * (modules - 1) + [1 if alone else len(widths)]
    return nn.Sequential(*(HRModule(widths, count) for count in outputs))


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """Return for each branch of `after` the layer that makes it of a branch of `before`."""
    layers: list[nn.Module] = []
    for i, width in enumerate(after):
        if i >= len(before):
            layers.append(nn.Sequential(_halving(before[-1], width)))
        elif before[i] == width:
            layers.append(nn.Identity())
        else:
            layers.append(
                nn.Sequential(
                    nn.Conv2d(before[i], width, 3, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(inplace=True),
                )
            )
    return nn.ModuleList(layers)


def _bottlenecks() -> nn.Sequential:
    shortcut = nn.Sequential(nn.Conv2d(_STEM, 4 * _STEM, 1, bias=False), nn.BatchNorm2d(4 * _STEM))
    first = Bottleneck(_STEM, _STEM, downsample=shortcut)
    return nn.Sequential(first, *(Bottleneck(4 * _STEM, _STEM) for _ in range(_BLOCKS - 1)))
