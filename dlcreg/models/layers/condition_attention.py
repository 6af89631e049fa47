"""Attention of a condition to the features of an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg.contracts import Size

_STD = 0.001


class ConditionAttention(nn.Module):
    """A block of the conditional attention module (Zhou et al., 2023) on one feature map.

    What the condition attends to, among cells and among channels, is added to the features; they
    begin nearly as they are.

    Args:
        channels: of the feature map.
        cells: height and width of the feature map, which the weights are made for.
        condition_channels: of the condition.
        channel_only: attend to channels alone, and multiply the features with the outcome.
        dropout: share of the attention that is dropped in training.
    """

    def __init__(
        self,
        channels: int,
        cells: Size,
        condition_channels: int,
        channel_only: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels, cells, condition_channels, dropout)
        self.position: PositionAttention | None = None
        if channel_only:
            nn.init.ones_(self.channel.out.bias)
        else:
            self.position = PositionAttention(channels, condition_channels, dropout)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return features ``(B, C, h, w)``.

        Args:
            x: ``(B, C, h, w)``.
            condition: map of as many cells ``(B, D, ...)``.
        """
        attended = self.channel(x, condition)
        if self.position is None:
            return x * attended
        return x + (self.position(x, condition) + attended)


class PositionAttention(nn.Module):
    """Cells of the condition attend to cells of the features.

    Args:
        channels: of the feature map, of queries, keys and values.
        condition_channels: of the condition.
        dropout: share of the attention that is dropped in training.
    """

    def __init__(self, channels: int, condition_channels: int, dropout: float) -> None:
        super().__init__()
        self.features = nn.Conv2d(channels, channels, 3, padding=1)
        self.condition = nn.Conv2d(condition_channels, condition_channels, 3, padding=1)
        self.query = _linear(condition_channels, channels)
        self.key = _linear(channels, channels)
        self.value = _linear(channels, channels)
        self.out = _linear(channels, channels)
        self.dropout = dropout

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return ``(B, C, h, w)`` of features ``(B, C, h, w)`` and a condition ``(B, D, ...)``."""
        tokens = self.features(x).flatten(2).mT  # (B, h * w, C)
        queries = self.query(self.condition(condition).flatten(2).mT)
        attended = F.scaled_dot_product_attention(
            queries[:, None],
            self.key(tokens)[:, None],
            self.value(tokens)[:, None],
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(attended[:, 0]).mT.unflatten(2, x.shape[-2:])  # type: ignore[no-any-return]


class ChannelAttention(nn.Module):
    """Channels of the condition attend to channels of the features; each is one long vector.

    Args:
        channels: of the feature map; the condition is brought to as many.
        cells: height and width of the feature map.
        condition_channels: of the condition.
        dropout: share of the attention that is dropped in training.
    """

    def __init__(self, channels: int, cells: Size, condition_channels: int, dropout: float) -> None:
        super().__init__()
        self.features = nn.Conv2d(channels, channels, 3, padding=1)
        self.condition = nn.Conv2d(condition_channels, channels, 3, padding=1)
        self.out = _linear(cells[0] * cells[1], cells[0] * cells[1])
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return ``(B, C, h, w)`` of features ``(B, C, h, w)`` and a condition ``(B, D, ...)``."""
        vectors = self.features(x).flatten(2)  # (B, C, h * w)
        queries = self.condition(condition).flatten(2)
        # few and long vectors: C x C weights are small, and fused kernels are made for short ones
        likeness = queries @ vectors.mT / vectors.shape[2] ** 0.5
        weights = self.dropout(torch.softmax(likeness.float(), dim=-1)).to(vectors.dtype)
        return self.out(weights @ vectors).unflatten(2, x.shape[-2:])  # type: ignore[no-any-return]


def _linear(in_channels: int, channels: int) -> nn.Linear:
    layer = nn.Linear(in_channels, channels)
    nn.init.normal_(layer.weight, std=_STD)
    nn.init.zeros_(layer.bias)
    return layer
