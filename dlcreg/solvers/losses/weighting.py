"""How a loss that is computed for each element becomes one number."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Reduction = Literal["present", "mean"]
"""``present``: weighted sum over the number of elements whose weight is not 0, so that missing
labels do not make the loss smaller (DeepLabCut). ``mean``: weighted sum over the number of all
elements (HRNet and SimpleBaseline, there with a factor of one half)."""


def reduce(loss: Tensor, weight: Tensor, reduction: Reduction) -> Tensor:
    """Return the weighted average of `loss`.

    Args:
        loss: for each element, finite.
        weight: broadcasts to `loss`.
        reduction: which elements count, see `Reduction`.
    """
    total = (loss * weight).sum()
    if reduction == "mean":
        return total / max(loss.numel(), 1)
    share = loss.numel() / max(weight.numel(), 1)  # elements that each weight stands for
    return total / ((weight != 0).sum() * share).clamp(min=1)


def difference(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return output minus target, 0 where the weight is 0.

    Not a product with the weight: a target that is not finite would spoil value and gradient.
    """
    return torch.where(weight != 0, output - target, torch.zeros_like(output))
