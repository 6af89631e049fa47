"""Squared error."""

from __future__ import annotations

from torch import Tensor

from dlcreg.contracts import Loss
from dlcreg.registry import LOSSES
from dlcreg.solvers.losses.weighting import Reduction, difference, reduce


@LOSSES.register_module()
class MSELoss(Loss):
    """Weighted squared error.

    HRNet's and SimpleBaseline's loss is ``MSELoss(weight=0.5, reduction="mean")``.

    Args:
        weight: factor of this loss in the sum of the head's losses.
        reduction: average over the elements of a weight other than 0 (``present``) or over all
            elements (``mean``).
    """

    def __init__(self, weight: float = 1.0, reduction: Reduction = "present") -> None:
        super().__init__(weight)
        self.reduction = reduction

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss of an output ``(B, C, ...)``; `weight` broadcasts to `target`."""
        return reduce(difference(output, target, weight).square(), weight, self.reduction)
