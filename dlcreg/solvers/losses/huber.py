"""Huber's loss: squared near 0, linear beyond."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcreg.contracts import Loss
from dlcreg.registry import LOSSES
from dlcreg.solvers.losses.weighting import Reduction, difference, reduce


@LOSSES.register_module()
class HuberLoss(Loss):
    """Weighted Huber loss, as DeepLabCut takes for location refinement.

    Args:
        weight: factor of this loss in the sum of the head's losses.
        delta: error at which the loss becomes linear, in units of the target.
        reduction: average over the elements of a weight other than 0 (``present``) or over all
            elements (``mean``).
    """

    def __init__(
        self, weight: float = 1.0, delta: float = 1.0, reduction: Reduction = "present"
    ) -> None:
        super().__init__(weight)
        if delta <= 0:
            raise ValueError(f"delta must be above 0, not {delta:g}")
        self.delta = delta
        self.reduction = reduction

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss of an output ``(B, C, ...)``; `weight` broadcasts to `target`."""
        error = difference(output, target, weight)
        loss = F.huber_loss(error, torch.zeros_like(error), reduction="none", delta=self.delta)
        return reduce(loss, weight, self.reduction)
