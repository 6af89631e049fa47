"""Cross entropy of two classes."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcreg.contracts import Loss
from dlcreg.registry import LOSSES
from dlcreg.solvers.losses.weighting import Reduction, reduce


@LOSSES.register_module()
class BCELoss(Loss):
    """Weighted binary cross entropy of outputs before the sigmoid, as for DeepLabCut's score maps.

    A head tells its codec that such an output becomes a likelihood through a sigmoid.

    Args:
        weight: factor of this loss in the sum of the head's losses.
        reduction: average over the elements of a weight other than 0 (``present``) or over all
            elements (``mean``).
    """

    activation: ClassVar[str] = "sigmoid"

    def __init__(self, weight: float = 1.0, reduction: Reduction = "present") -> None:
        super().__init__(weight)
        self.reduction = reduction

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss of an output ``(B, C, ...)``; `weight` broadcasts to `target`."""
        known = weight != 0
        zero = torch.zeros_like(output)
        loss = F.binary_cross_entropy_with_logits(
            torch.where(known, output, zero), torch.where(known, target, zero), reduction="none"
        )
        return reduce(loss, weight, self.reduction)
