"""Cross entropy over the places of a map."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from dlcreg.contracts import Loss
from dlcreg.registry import LOSSES


@LOSSES.register_module()
class SpatialCrossEntropyLoss(Loss):
    """Softmax cross entropy over all places of a map: each map says where, not whether.

    The keypoint loss of Mask R-CNN (He et al., 2017) with a soft target: the target map is scaled
    to sum 1. It learns from few iterations, since the places of a map compete. A map without a
    target anywhere, such as that of a keypoint without a label, gives no loss.

    A head tells its codec that such an output becomes a likelihood through a softmax.

    Args:
        weight: factor of this loss in the sum of the head's losses.
    """

    activation: ClassVar[str] = "softmax"

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the mean over the maps with a target, in nats.

        Args:
            output: ``(B, C, ...)``, logits.
            target: the same shape, not negative.
            weight: broadcasts to `target`; places of weight 0 cannot be chosen.
        """
        known = (weight != 0).expand_as(target).flatten(2)
        mass = torch.where(known, target.flatten(2), 0.0) * weight.expand_as(target).flatten(2)
        total = mass.sum(dim=-1, keepdim=True)
        wanted = mass / total.clamp(min=torch.finfo(mass.dtype).tiny)
        # a map that is unknown everywhere would be a softmax of nothing
        logits = output.flatten(2).masked_fill(~known & known.any(dim=-1, keepdim=True), -torch.inf)
        chosen = torch.where(known, logits.log_softmax(dim=-1), 0.0)
        loss = -(wanted * chosen).sum(dim=-1)
        return loss.sum() / (total > 0).sum().clamp(min=1)
