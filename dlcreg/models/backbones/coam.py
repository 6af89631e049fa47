"""A condition that attends to the features of an HRNet between its stages."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg.contracts import Backbone, ConditionEncoder, HasBranches, Size
from dlcreg.models.layers.condition_attention import ConditionAttention
from dlcreg.models.layers.wrapped import adopt
from dlcreg.registry import BACKBONES


@BACKBONES.register_module()
class CoAM(Backbone):
    """The conditional attention module of BUCTD (Zhou et al., 2023) in a backbone of branches.

    At each of `positions` a block of attention stands on every branch; behind the last stage on the
    finest alone. Its layers know the number of cells, so that a model is built for one size of
    images, and those of another one are refused.

    Args:
        backbone: a backbone of branches, such as `HRNet`.
        encoder: draws the condition, which is then brought to the size of each map.
        input_size: height and width of the images, pixels.
        positions: where: with HRNet 0, 1 and 2 lie before the stages 2, 3 and 4, and 3 behind
            stage 4. The published models have 1.
        channel_only: attend to channels alone, and multiply the features with the outcome.
        dropout: share of the attention that is dropped in training.
        antialias: average the pixels of the condition that a cell covers. False as BUCTD does: a
            map of stride 16 then misses what lies between its cells.
        first_channel: look at the first channel of the condition alone, as BUCTD does where its
            configuration says neither stacked nor coloured.
        swapped_sides: bring the condition to maps whose height and width are swapped, as DeepLabCut
            does: unless images are square, it then attends from other places than its own.

    Raises:
        ValueError: the backbone has no branches, or no such position.
    """

    def __init__(
        self,
        backbone: Backbone,
        encoder: ConditionEncoder,
        input_size: Size,
        positions: Sequence[int] = (1,),
        channel_only: bool = False,
        dropout: float = 0.1,
        antialias: bool = True,
        first_channel: bool = False,
        swapped_sides: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(backbone, HasBranches):
            raise ValueError(
                f"backbone must be one of parallel branches, such as HRNet, not "
                f"{type(backbone).__name__}"
            )
        known = range(len(backbone.branch_channels))
        if not positions or list(positions) != sorted(set(positions) & set(known)):
            raise ValueError(
                f"positions must be some of 0 to {len(known) - 1} in rising order, not {positions}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be a share from 0 to below 1, not {dropout:g}")
        adopt(self, backbone)
        self.encoder = encoder
        divisor = self.size_divisor or max(backbone.branch_strides)
        height, width = (-(-length // divisor) * divisor for length in input_size)
        self.size = (height, width)
        channels = 1 if first_channel else encoder.out_channels
        self.attention = nn.ModuleDict()
        for position in positions:
            widths = backbone.branch_channels[position]
            branches = zip(widths[:1] if position == known[-1] else widths, backbone.branch_strides)
            self.attention[str(position)] = nn.ModuleList(
                ConditionAttention(
                    branch, (height // stride, width // stride), channels, channel_only, dropout
                )
                for branch, stride in branches
            )
        self.antialias = antialias
        self.first_channel = first_channel
        self.swapped_sides = swapped_sides
        self.backbone = backbone

    def forward(  # type: ignore[override]
        self, images: Tensor, condition: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the backbone's maps ``(B, C, h, w)``, finest first.

        Args:
            images: ``(B, 3, H, W)``, of `input_size` once they are padded.
            condition: keypoints ``(B, K, 3)``, or a map ``(B, C, H, W)`` as the encoder draws it.

        Raises:
            ValueError: images of another size.
        """
        size = tuple(images.shape[-2:])
        if size != self.size:
            made, real = (f"{height} x {width}" for height, width in (self.size, size))
            raise ValueError(
                f"CoAM is built for images of {made} (input_size), and gets one of {real}: its "
                f"layers know the number of cells. Crop or resize all images to {made}, as "
                f"CropInstance(size=...) does, or build it for {real}"
            )
        drawn = self.encoder(condition, size).to(images.dtype)
        if self.first_channel:
            drawn = drawn[:, :1]

        def between(position: int, branches: list[Tensor]) -> list[Tensor]:
            if str(position) not in self.attention:
                return branches
            blocks: nn.ModuleList = self.attention[str(position)]  # type: ignore[assignment]
            attended = [
                block(x, self._resized(drawn, x.shape[-2:])) for block, x in zip(blocks, branches)
            ]
            return attended + branches[len(attended) :]

        return self.backbone(images, between=between)  # type: ignore[no-any-return]

    def mirror_condition(self, condition: Tensor, flip_index: Tensor) -> Tensor:
        """Return a drawn condition of the mirrored images, see `MirrorsCondition`."""
        return self.encoder.mirror(condition, flip_index)

    def _resized(self, drawn: Tensor, cells: Sequence[int]) -> Tensor:
        """Return the condition for a map of so many cells."""
        height, width = cells
        size = (width, height) if self.swapped_sides else (height, width)
        return F.interpolate(drawn, size, mode="bilinear", antialias=self.antialias)
