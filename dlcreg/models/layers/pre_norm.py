"""Transformer layers that normalise before they compute, as vision transformers have them."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al., 2017) with queries, keys and values in one layer.

    Args:
        dim: channels D of a token.
        heads: number of attention heads, a divisor of `dim`.
        bias: whether queries, keys and values have a bias.
        scale: logits are divided by the root of the channels of a ``head``, as is usual, or of
            the whole ``token``.

    Raises:
        ValueError: the heads do not divide the channels.
    """

    def __init__(
        self, dim: int, heads: int, bias: bool = True, scale: Literal["head", "token"] = "head"
    ) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"heads must divide the {dim} channels of a token, {heads} do not")
        if scale not in ("head", "token"):
            raise ValueError(f"scale must be 'head' or 'token', not {scale!r}")
        self.heads = heads
        self.scale = (dim if scale == "token" else dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens ``(B, N, D)`` of tokens ``(B, N, D)``."""
        query, key, value = self._split(tokens)
        x = F.scaled_dot_product_attention(query, key, value, scale=self.scale)
        return self.out(x.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def weights(self, tokens: Tensor, index: Tensor) -> Tensor:
        """Return ``(B, heads, K, N)``, how much some tokens attend to each token.

        Args:
            tokens: ``(B, N, D)``.
            index: int64 ``(B, K)``, which tokens of each image are asked.
        """
        query, key, _ = self._split(tokens)
        index = index[:, None, :, None].expand(-1, self.heads, -1, query.shape[-1])
        logits = query.gather(2, index) @ key.transpose(-2, -1) * self.scale
        return logits.float().softmax(dim=-1)

    def _split(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values ``(B, heads, N, D / heads)``."""
        x = self.qkv(tokens).unflatten(-1, (3, self.heads, -1))  # (B, N, 3, heads, D / heads)
        query, key, value = x.permute(2, 0, 3, 1, 4)
        return query, key, value


class PreNormLayer(nn.Module):
    """Self-attention, then a perceptron, each added to what went in (Dosovitskiy et al., 2021).

    Args:
        dim: channels D of a token.
        heads: number of attention heads.
        width: channels in the middle of the perceptron.
        bias: whether queries, keys and values have a bias.
        scale: see `SelfAttention`.
        eps: of both layer normalisations.
        drop_path: share of the images of a batch for which a residual branch is left out in
            training (stochastic depth, Huang et al., 2016); the others make up for it.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        width: int,
        bias: bool = True,
        scale: Literal["head", "token"] = "head",
        eps: float = 1e-5,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attention = SelfAttention(dim, heads, bias, scale)
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = nn.Sequential(nn.Linear(dim, width), nn.GELU(), nn.Linear(width, dim))
        self.drop_path = StochasticDepth(drop_path, "row") if drop_path else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens ``(B, N, D)`` of tokens ``(B, N, D)``."""
        tokens = tokens + self.drop_path(self.attention(self.norm1(tokens)))
        return tokens + self.drop_path(self.mlp(self.norm2(tokens)))  # type: ignore[no-any-return]

    def attention_weights(self, tokens: Tensor, index: Tensor) -> Tensor:
        """Return ``(B, heads, K, N)``, how much some tokens attend to each token.

        Args:
            tokens: ``(B, N, D)``.
            index: int64 ``(B, K)``, which tokens of each image are asked.
        """
        return self.attention.weights(self.norm1(tokens), index)
