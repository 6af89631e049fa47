"""The gated attention unit (Hua et al., 2022) as RTMPose has it (Jiang et al., 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ScaleNorm(nn.Module):
    """Divides vectors by their root mean square; one factor for all (Nguyen and Salazar, 2019).

    Args:
        width: length of the vectors.
        eps: least root mean square to divide by.
    """

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.scale = width**-0.5
        self.eps = eps
        self.g = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return vectors ``(..., width)`` of a root mean square of ``g``."""
        size = torch.linalg.vector_norm(x.float(), dim=-1, keepdim=True) * self.scale
        return (x / size.clamp(min=self.eps) * self.g).to(x.dtype)


class ChannelScale(nn.Module):
    """Multiplies each channel by a factor that is learnt.

    Args:
        width: number of channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(..., width)`` multiplied by ``scale``."""
        return x * self.scale


class GatedAttentionUnit(nn.Module):
    """Attention among tokens, and a gate in the place of a feed-forward layer, in one unit.

    Queries and keys are one projection with a scale and an offset each; the attention is a squared
    ReLU without a normalisation over the tokens.

    Args:
        width: length of a token.
        expansion: width of gate and values as a multiple of `width`.
        key_width: width of queries and keys.
    """

    def __init__(self, width: int, expansion: int = 2, key_width: int = 128) -> None:
        super().__init__()
        inner = expansion * width
        self.widths = [inner, inner, key_width]
        self.ln = ScaleNorm(width)
        self.uv = nn.Linear(width, sum(self.widths), bias=False)
        self.gamma = nn.Parameter(torch.rand(2, key_width))
        self.beta = nn.Parameter(torch.rand(2, key_width))
        self.o = nn.Linear(inner, width, bias=False)
        self.res_scale = ChannelScale(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens ``(B, K, width)``."""
        gate, values, base = F.silu(self.uv(self.ln(tokens))).split(self.widths, dim=-1)
        queries, keys = (base[..., None, :] * self.gamma + self.beta).unbind(-2)
        attention = F.relu(queries @ keys.mT / self.widths[-1] ** 0.5).square()  # (B, K, K)
        return self.res_scale(tokens) + self.o(gate * (attention @ values))  # type: ignore[no-any-return]
