"""The likelihood of labels under a density whose shape is learnt."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcreg import LOSSES, Loss
from dlcreg_rle.flow import RealNVP
from dlcreg_rle.precision import full_precision

_LEAST = math.log(1e-4)
"""Logarithm of the least sigma, as a share of the image: a fortieth of a pixel in 256."""


@LOSSES.register_module()
class RLELoss(Loss):
    """Residual log-likelihood estimation (Li et al., ICCV 2021, equation 8).

    With the error in units of sigma, ``e = (output - label) / sigma``, the loss of a keypoint is
    ``log(sigma_x sigma_y) - log Q(e) - log G(e)``: a simple density Q times what a normalising
    flow G learns about how the errors differ from it. The flow is trained with the model, is part
    of its state dict, and is not needed to predict. The factor that would norm the product is left
    out, as in the paper; the original code weighs Q and sigma otherwise.

    A flow can learn any scale. So that sigma keeps its meaning, and the likelihood that the codec
    makes of it, the flow's gradient does not reach sigma, unlike in the paper.

    All is computed in float32, under autocast, too.

    Args:
        weight: factor of this loss in the sum of the head's losses.
        base: the density Q of an error along x or y, of scale 1.
        anchored: the flow teaches the coordinates alone, and sigma is the scale of Q that fits the
            errors. False: it teaches sigma, too, as in the paper; it can then take over the scale,
            and sigma has no unit any more.
        layers: coupling layers of the flow.
        hidden: width of the flow's hidden layers.
    """

    def __init__(
        self,
        weight: float = 1.0,
        base: Literal["laplace", "gaussian"] = "laplace",
        anchored: bool = True,
        layers: int = 6,
        hidden: int = 64,
    ) -> None:
        super().__init__(weight)
        if base not in ("laplace", "gaussian"):
            raise ValueError(f"base must be 'laplace' or 'gaussian', not {base!r}")
        self.base = base
        self.anchored = anchored
        self.flow = RealNVP(layers, hidden)

    def target_shape(self, output: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(B, K, 2)``: sigmas have no target."""
        return (*output[:-1], 2)

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the mean over labelled keypoints, in nats.

        Args:
            output: ``(B, K, 4)``, see `RLECodec`.
            target: ``(B, K, 2)``, coordinates as shares of the image.
            weight: ``(B, K, 1)``; 0 where there is no label.
        """
        with full_precision(output):
            share, logits = output.float().split(2, dim=-1)
            known = weight != 0
            # where nothing is known no arithmetic with what may be NaN, not even times 0
            difference = torch.where(known, share - target.float(), torch.zeros_like(share))
            log_sigma = F.logsigmoid(logits)
            log_sigma = torch.logaddexp(log_sigma, torch.full_like(log_sigma, _LEAST))
            error = difference * (-log_sigma).exp()
            seen = difference * (-log_sigma.detach()).exp() if self.anchored else error
            log_flow = self.flow.log_prob(seen.flatten(0, 1)).view(error.shape[:2])
            loss = log_sigma.sum(-1) - self._log_base(error).sum(-1) - log_flow  # (B, K)
            weight = weight.float()[..., 0]
            return (loss * weight).sum() / (weight != 0).sum().clamp(min=1)

    def _log_base(self, error: Tensor) -> Tensor:
        if self.base == "laplace":
            return -error.abs() - math.log(2)
        return -0.5 * (error.square() + math.log(2 * math.pi))
