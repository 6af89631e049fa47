"""Online hard keypoint mining."""

from __future__ import annotations

from torch import Tensor

from dlcreg.contracts import Loss
from dlcreg.registry import LOSSES
from dlcreg.solvers.losses.weighting import difference


@LOSSES.register_module()
class OHKMLoss(Loss):
    """Squared error of the hardest keypoints of each image only (Chen et al., 2018).

    HRNet's variant has a factor of one half: ``OHKMLoss(weight=0.5)``.

    Args:
        weight: factor of this loss in the sum of the head's losses.
        top_k: number of keypoints of each image that count; all where there are fewer.
    """

    def __init__(self, weight: float = 1.0, top_k: int = 8) -> None:
        super().__init__(weight)
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, not {top_k}")
        self.top_k = top_k

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss of an output ``(B, K, ...)``; `weight` broadcasts to `target`."""
        loss = difference(output, target, weight).square() * weight
        of_keypoint = loss.flatten(2).mean(dim=-1)
        hardest = of_keypoint.topk(min(self.top_k, of_keypoint.shape[1]), dim=1).values
        return hardest.mean()
