"""The optimizers of the schedulefree library, each with the hook that it needs.

Defazio et al., "The Road Less Scheduled", NeurIPS 2024. They train one set of weights, where the
gradient is taken, and keep an average of another that is the result.
"""

from __future__ import annotations

import schedulefree
from mmengine.hooks import Hook
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dlcreg import OPTIMIZERS
from dlcreg_schedulefree.hook import ScheduleFreeHook


class _BringsHook:
    """What the optimizers share."""

    def run_hooks(self) -> list[Hook]:
        """Return the hook that measures and keeps the average."""
        return [ScheduleFreeHook()]


@OPTIMIZERS.register_module()
class AdamWScheduleFree(_BringsHook, schedulefree.AdamWScheduleFree):
    """AdamW without a schedule (Defazio et al., 2024).

    Brings `ScheduleFreeHook` to its run.

    Args:
        params: the parameters.
        lr: learning rate; 1 to 10 times that of AdamW with a schedule.
        betas: weight of the average in the point where the gradient is taken, and decay of the
            squared gradients; for very long runs 0.95 or 0.98 as the first.
        eps: added to the denominator.
        weight_decay: decoupled, taken where the gradient is.
        warmup_steps: updates over which the learning rate rises.
        r: power of the update's number in the weights of the average.
        weight_lr_power: power of the learning rate in the weights of the average.
        foreach: update all parameters at once, faster and with more memory.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.0025,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        foreach: bool = True,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            warmup_steps=warmup_steps,
            r=r,
            weight_lr_power=weight_lr_power,
            foreach=foreach,
        )


@OPTIMIZERS.register_module()
class RAdamScheduleFree(_BringsHook, schedulefree.RAdamScheduleFree):
    """RAdam without a schedule, which needs no warm-up either (schedulefree 1.4).

    Brings `ScheduleFreeHook` to its run.

    Args:
        params: the parameters.
        lr: learning rate.
        betas: weight of the average in the point where the gradient is taken, and decay of the
            squared gradients.
        eps: added to the denominator.
        weight_decay: decoupled, taken where the gradient is.
        r: power of the update's number in the weights of the average.
        weight_lr_power: power of the learning rate in the weights of the average.
        foreach: update all parameters at once, faster and with more memory.
        silent_sgd_phase: leave the weights alone in the first few updates, where RAdam would step
            as SGD does.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.0025,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        foreach: bool = True,
        silent_sgd_phase: bool = True,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            r=r,
            weight_lr_power=weight_lr_power,
            foreach=foreach,
            silent_sgd_phase=silent_sgd_phase,
        )


@OPTIMIZERS.register_module()
class SGDScheduleFree(_BringsHook, schedulefree.SGDScheduleFree):
    """SGD without a schedule (Defazio et al., 2024).

    Brings `ScheduleFreeHook` to its run.

    Args:
        params: the parameters.
        lr: learning rate; 10 to 50 times that of SGD with a schedule.
        momentum: weight of the average in the point where the gradient is taken, between 0 and 1.
        weight_decay: added to the gradient, where it is taken.
        warmup_steps: updates over which the learning rate rises.
        r: power of the update's number in the weights of the average.
        weight_lr_power: power of the learning rate in the weights of the average.
        foreach: update all parameters at once, faster and with more memory.

    Raises:
        ValueError: a momentum outside (0, 1), or a negative rate.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        foreach: bool = True,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            warmup_steps=warmup_steps,
            r=r,
            weight_lr_power=weight_lr_power,
            foreach=foreach,
        )
