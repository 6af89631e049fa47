"""Divergence between a row of bins and its label."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from dlcreg.contracts import Loss
from dlcreg.registry import LOSSES
from dlcreg.solvers.losses.weighting import reduce


@LOSSES.register_module()
class KLDiscreteLoss(Loss):
    """Kullback-Leibler divergence of rows of bins from their labels (Li et al., 2022).

    An output times `beta`, and a label times `label_beta`, each become a distribution by a softmax.

    Args:
        weight: factor of this loss in the sum of the head's losses.
        beta: sharpness of the outputs' softmax.
        label_beta: sharpness of the labels' softmax; None: that of the outputs.
        label_softmax: False: labels are distributions already, of sum 1.
        reduction: nats, averaged over the rows of a weight other than 0 (``present``) or over all
            rows (``mean``); or as in the code of RTMPose (``original``): averaged over the bins,
            summed over the batch and divided by the number of keypoints, so that it grows with the
            batch and shrinks with the image.

    Raises:
        ValueError: a sharpness that is not above 0, or another reduction.
    """

    def __init__(
        self,
        weight: float = 1.0,
        beta: float = 10.0,
        label_beta: float | None = None,
        label_softmax: bool = True,
        reduction: Literal["present", "mean", "original"] = "present",
    ) -> None:
        super().__init__(weight)
        label_beta = beta if label_beta is None else label_beta
        if not (beta > 0 and label_beta > 0):
            raise ValueError(
                f"beta and label_beta must be above 0, not {beta:g} and {label_beta:g}"
            )
        if reduction not in ("present", "mean", "original"):
            raise ValueError(f"reduction must be present, mean or original, not {reduction!r}")
        self.beta = beta
        self.label_beta = label_beta
        self.label_softmax = label_softmax
        self.reduction = reduction

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss.

        Args:
            output: ``(B, K, ..., bins)``, before the softmax.
            target: the same shape, not negative.
            weight: broadcasts to `target`.
        """
        target = torch.where(weight != 0, target, torch.zeros_like(target))
        chosen = (output * self.beta).log_softmax(dim=-1)
        if self.label_softmax:
            log_label = (target * self.label_beta).log_softmax(dim=-1)
            divergence = log_label.exp() * (log_label - chosen)
        else:
            divergence = torch.xlogy(target, target) - target * chosen
        rows = (divergence * weight).sum(dim=-1, keepdim=True)
        if self.reduction == "original":
            return rows.sum() / (output.shape[-1] * output.shape[1])
        present = (weight != 0).any(dim=-1, keepdim=True).to(rows.dtype)
        return reduce(rows, present, self.reduction)  # type: ignore[arg-type]
