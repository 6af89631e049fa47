"""RealNVP in the plane: a density that is learnt, with an exact logarithm."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class RealNVP(nn.Module):
    """Affine coupling layers between the plane and a normal distribution (Dinh et al., 2017).

    Each layer leaves one of x and y as it is, and scales and shifts the other one by functions of
    it. It starts near the identity, so that its density starts near the standard normal one.

    Args:
        layers: coupling layers, which change x and y by turns; the paper of RLE has 6.
        hidden: width of the two hidden layers of each function.

    Raises:
        ValueError: fewer than 2 layers, which would leave a coordinate as it is, or no width.
    """

    masks: Tensor

    def __init__(self, layers: int = 6, hidden: int = 64) -> None:
        super().__init__()
        if layers < 2:
            raise ValueError(f"layers must be at least 2, one for x and one for y, not {layers}")
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden}")
        turns = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        masks = turns.repeat(-(-layers // 2), 1)[:layers]
        self.register_buffer("masks", masks, persistent=False)  # they follow from the arguments
        self.scale = nn.ModuleList(_function(hidden, nn.Tanh()) for _ in range(layers))
        self.shift = nn.ModuleList(_function(hidden, nn.Identity()) for _ in range(layers))

    def forward(self, z: Tensor) -> Tensor:
        """Return points ``(M, 2)`` of the learnt density, of points `z` of the normal one."""
        for mask, scale, shift in zip(self.masks, self.scale, self.shift):
            kept, free = mask * z, 1 - mask
            z = kept + free * (z * scale(kept).exp() + shift(kept))
        return z

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the points of the normal density that `forward` takes to `x`.

        Args:
            x: ``(M, 2)``.

        Returns:
            points ``(M, 2)``, and the logarithm of the Jacobian's determinant ``(M,)``.
        """
        log_det = torch.zeros_like(x[:, 0])
        turns = list(zip(self.masks, self.scale, self.shift))
        for mask, scale, shift in reversed(turns):
            kept, free = mask * x, 1 - mask
            log_scale = free * scale(kept)
            x = kept + free * (x - shift(kept)) * (-log_scale).exp()
            log_det = log_det - log_scale.sum(dim=1)
        return x, log_det

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the logarithm of the density ``(M,)`` at points ``(M, 2)``."""
        z, log_det = self.inverse(x)
        return log_det - 0.5 * z.square().sum(dim=1) - math.log(2 * math.pi)


def _function(hidden: int, last: nn.Module) -> nn.Sequential:
    """Return a network from the plane to the plane whose values start near 0."""
    network = nn.Sequential(
        nn.Linear(2, hidden),
        nn.LeakyReLU(),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(),
        nn.Linear(hidden, 2),
        last,
    )
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)
            nn.init.zeros_(layer.bias)
    return network
