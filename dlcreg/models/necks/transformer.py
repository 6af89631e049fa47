"""Every cell of a map sees every other one: the transformer between backbone and head."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dlcreg.contracts import Neck
from dlcreg.models.layers.encoder_layer import EncoderLayer
from dlcreg.models.layers.sine_position import SinePositions
from dlcreg.registry import NECKS


@NECKS.register_module()
class TransformerNeck(Neck):
    """The transformer encoder of TransPose (Yang et al., 2021) on the cells of one feature map.

    A 1x1 convolution makes tokens of the cells, encoder layers let them attend to one another, and
    a map of the same size comes out. The last layers' attention at the cell of a keypoint tells
    what that keypoint is found by, see `attention_maps` and ``dlcreg draw attention``.

    The cost of attention grows with the square of the number of cells: it is meant for crops, or
    for maps of a stride of 8 and more.

    Args:
        in_channels: channels of the feature map.
        in_strides: pixels for each cell of it.
        input_size: height and width in pixels of the usual input, for which the positions are kept
            at hand. Inputs of other sizes are given positions of their own; weights fit all sizes.
        channels: of a token, a multiple of 4. None: as many as the feature map has, whose cells are
            then the tokens as they are.
        num_layers: encoder layers.
        num_heads: heads of the attention, which share the channels.
        hidden_channels: between the two linear layers of an encoder layer.
        dropout: see `dlcreg.models.layers.encoder_layer.EncoderLayer`.

    Raises:
        ValueError: values that do not fit one another.
    """

    def __init__(
        self,
        in_channels: int,
        in_strides: int,
        input_size: tuple[int, int],
        channels: int | None = 256,
        num_layers: int = 3,
        num_heads: int = 8,
        hidden_channels: int = 1024,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        counts = {
            "num_layers": num_layers, "num_heads": num_heads, "hidden_channels": hidden_channels
        }  # fmt: skip
        for name, count in counts.items():
            if count < 1:
                raise ValueError(f"{name} must be at least 1, not {count}")
        self.reduce: nn.Module = nn.Identity()
        if channels is None:
            channels = in_channels
        else:
            self.reduce = nn.Conv2d(in_channels, channels, 1, bias=False)
        if channels % num_heads:
            raise ValueError(
                f"num_heads must divide channels: {channels} channels cannot be shared by "
                f"{num_heads} heads"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be a share from 0 to below 1, not {dropout:g}")
        height, width = (-(-length // in_strides) for length in input_size)
        self.positions = SinePositions(height, width, channels)
        self.layers = nn.ModuleList(
            EncoderLayer(channels, num_heads, hidden_channels, dropout) for _ in range(num_layers)
        )
        self.out_channels = (channels,)
        self.out_strides = (in_strides,)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return one map ``(B, channels, h, w)`` of the size of the only one of `features`."""
        tokens, positions, size = self._tokens(features)
        for layer in self.layers:
            tokens = layer(tokens, positions)
        return (tokens.transpose(1, 2).unflatten(2, size),)

    def attention_maps(self, inputs: Any, points: Tensor) -> Tensor:
        """Return what the cells of points attend to, see `dlcreg.contracts.ShowsAttention`.

        Args:
            inputs: the feature maps that `forward` takes.
            points: float ``(B, K, 2)``, pixels of the model input.
        """
        tokens, positions, (height, width) = self._tokens(inputs)
        stride = self.out_strides[0]
        cells = ((points - (stride - 1) / 2) / stride).round().to(torch.int64)
        column, row = cells[..., 0].clamp(0, width - 1), cells[..., 1].clamp(0, height - 1)
        maps = []
        for layer in self.layers:
            attention = layer.attention(tokens, positions, row * width + column)  # type: ignore[operator]
            maps.append(attention.transpose(1, 2).unflatten(3, (height, width)))
            tokens = layer(tokens, positions)
        return torch.stack(maps)  # (layers, B, K, heads, h, w)

    def _tokens(self, features: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Return tokens ``(B, h * w, C)`` row by row, their positions, and h and w."""
        (x,) = features
        x = self.reduce(x)  # (B, C, h, w)
        height, width = x.shape[2:]
        return x.flatten(2).transpose(1, 2), self.positions(height, width), (height, width)
