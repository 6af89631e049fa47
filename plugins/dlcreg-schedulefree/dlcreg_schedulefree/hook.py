"""The hook that measures and keeps the averaged weights of a schedule-free optimizer."""

from __future__ import annotations

import copy
from itertools import islice
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from dlcreg import HOOKS
from dlcreg.errors import ConfigError, Problem
from dlcreg.solvers.devices import autocast
from dlcreg.solvers.randomness import random_state, set_random_state


@HOOKS.register_module()
class ScheduleFreeHook(Hook):
    """Switches between the two sets of weights of a schedule-free optimizer.

    The optimizer trains the point y, where gradients are taken; the result is the average x.
    Validation measures x, ``best.pth`` holds it, and every checkpoint has it beside y. It is
    computed into a copy of the model, and y is put back bit for bit: a run that saves or validates
    once more ends with the same weights as one that does not.

    Statistics of batch normalisation are gathered at y, and x needs its own: between two epochs
    they are estimated anew, from the first training batches of the coming epoch. A checkpoint
    that is written within an epoch has those of y.

    Args:
        batch_norm_batches: training batches to estimate the statistics of batch normalisation
            from; 0 leaves those of y. A model without batch normalisation needs none.

    Raises:
        ValueError: a negative number.
    """

    priority = "NORMAL"
    provides_weights = True

    def __init__(self, batch_norm_batches: int = 50) -> None:
        if batch_norm_batches < 0:
            raise ValueError(f"batch_norm_batches={batch_norm_batches}: give 0 or more")
        self.batch_norm_batches = batch_norm_batches
        self._average: nn.Module | None = None
        self._computed_at = -1

    def check_run(self, runner: Any) -> None:
        """Refuse an optimizer that has no two sets of weights."""
        optimizer = runner.optimizer
        if not (callable(getattr(optimizer, "train", None)) and hasattr(optimizer, "eval")):
            name = type(optimizer).__name__
            raise ConfigError(
                Problem(
                    "solver.hooks",
                    f"ScheduleFreeHook has nothing to do for {name}, which has no train() and "
                    "eval(). Leave it out: an optimizer such as AdamWScheduleFree brings it along.",
                )
            )

    def before_run(self, runner: Any) -> None:
        """Make the copy that is measured."""
        self._average = copy.deepcopy(runner.model).eval().requires_grad_(False)
        self._computed_at = -1
        runner.evaluated_model = self._average

    def before_train(self, runner: Any) -> None:
        """Put the optimizer into training mode; one that was resumed is in it."""
        runner.optimizer.train()

    def before_val(self, runner: Any) -> None:
        """Compute the average that is to be measured."""
        self._compute(runner)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Compute the average that is to be saved."""
        self._compute(runner)

    @torch.no_grad()
    def _compute(self, runner: Any) -> None:
        if self._computed_at == runner.iter:
            return
        assert self._average is not None
        trained = [p for group in runner.optimizer.param_groups for p in group["params"]]
        kept = [parameter.detach().clone() for parameter in trained]
        runner.optimizer.eval()
        self._average.load_state_dict(runner.model.state_dict())
        runner.optimizer.train()  # interpolates back, which rounds
        torch._foreach_copy_(trained, kept)
        if runner.batch == 0:  # within an epoch the loader is in use
            self._estimate_statistics(runner, self._average)
        self._computed_at = runner.iter

    def _estimate_statistics(self, runner: Any, model: nn.Module) -> None:
        """Replace the statistics of batch normalisation by means over training batches."""
        norms = [
            module
            for module in model.train().modules()  # the model knows which ones stay fixed
            if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
        ]
        model.eval()
        if not norms or not self.batch_norm_batches:
            return
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.train()
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean
        drawn = random_state()
        for batch in islice(runner.train_loader.epoch(runner.epoch), self.batch_norm_batches):
            moved = batch.to(runner.device)
            options = {} if moved.condition is None else {"condition": moved.condition}
            with autocast(runner.device, runner.precision):
                model(moved.images, mode="loss", instances=moved.instances, **options)
        set_random_state(drawn)
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        model.eval()
