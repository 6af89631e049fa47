"""A moving average of the weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import nn

from dlcreg.registry import HOOKS
from dlcreg.solvers.checkpoint import weights_of


@HOOKS.register_module()
class EMAHook(Hook):
    """Keeps an exponential moving average of the weights (Polyak and Juditsky, 1992).

    After update number n, counted from 0, ``average += m * (weights - average)`` with
    ``m = max(momentum, 9 / (n + 10))``: the first updates count for more, so that the random
    start is forgotten. Floating-point buffers, such as the statistics of batch normalisation, are
    averaged, too; others are copied. Validation measures the average, ``best.pth`` holds it.

    Args:
        momentum: share of the newest weights, in (0, 1]; 0.0002 to 0.01 are usual.

    Raises:
        ValueError: a momentum outside (0, 1].
    """

    priority = "NORMAL"
    provides_weights = True

    def __init__(self, momentum: float = 0.0002) -> None:
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum={momentum:g}: the share of the newest weights is in (0, 1]")
        self.momentum = momentum
        self.average: nn.Module | None = None
        self._updates = 0

    def before_run(self, runner: Any) -> None:
        """Start from the weights as they are."""
        self.average = copy.deepcopy(runner.model).eval().requires_grad_(False)
        runner.evaluated_model = self.average

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Restore the average."""
        assert self.average is not None
        self.average.load_state_dict(weights_of(checkpoint))

    def state_dict(self) -> dict[str, Any]:
        """Return the number of updates; the average itself is among the weights of the run."""
        return {"updates": self._updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the number of updates."""
        self._updates = state["updates"]

    @torch.no_grad()
    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Move the average towards the weights, if they were updated."""
        if not runner.updated:
            return
        assert self.average is not None
        momentum = max(self.momentum, 9 / (self._updates + 10))
        self._updates += 1
        averages, values = [], []
        for average, value in zip(_tensors(self.average), _tensors(runner.model), strict=True):
            if average.is_floating_point():
                averages.append(average)
                values.append(value)
            else:
                average.copy_(value)
        torch._foreach_lerp_(averages, values, momentum)


def _tensors(model: nn.Module) -> list[torch.Tensor]:
    return [*(p.detach() for p in model.parameters()), *model.buffers()]
