"""A layer of a transformer encoder whose positions are added to queries and keys alone."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class EncoderLayer(nn.Module):
    """Self-attention, then two linear layers, each added to its input and normalised after that.

    The layer of DETR (Carion et al., 2020), as TransPose has it: queries and keys know their
    positions in every layer, values never do. The parameters have the names of
    `torch.nn.TransformerEncoderLayer`.

    Args:
        channels: of a token.
        num_heads: heads of the attention; they share the channels.
        hidden_channels: between the two linear layers.
        dropout: share of the attention, of the hidden values and of both results that is dropped
            in training.
    """

    def __init__(self, channels: int, num_heads: int, hidden_channels: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(channels, num_heads, dropout, batch_first=True)
        self.linear1 = nn.Linear(channels, hidden_channels)
        self.linear2 = nn.Linear(hidden_channels, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Return tokens ``(B, n, C)``.

        Args:
            tokens: ``(B, n, C)``.
            positions: code of each token's place ``(n, C)``.
        """
        placed = tokens + positions
        # without weights torch takes scaled_dot_product_attention, which never holds n x n of them
        attended, _ = self.self_attn(placed, placed, tokens, need_weights=False)
        tokens = self.norm1(tokens + self.dropout(attended))
        hidden = self.dropout(F.relu(self.linear1(tokens)))
        return self.norm2(tokens + self.dropout(self.linear2(hidden)))

    def attention(self, tokens: Tensor, positions: Tensor, queries: Tensor) -> Tensor:
        """Return what some tokens attend to: ``(B, heads, K, n)``, each row with the sum 1.

        Args:
            tokens: ``(B, n, C)``.
            positions: code of each token's place ``(n, C)``.
            queries: int64 ``(B, K)``, which tokens.
        """
        placed = tokens + positions
        rows = placed.gather(1, queries[..., None].expand(-1, -1, placed.shape[-1]))
        _, weights = self.self_attn(
            rows, placed, tokens, need_weights=True, average_attn_weights=False
        )
        return weights
