"""The checks of optimizers."""

from __future__ import annotations

import copy
import io
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from dlcreg.testing.results import CheckFailed, NotBuilt, fail
from dlcreg.testing.subject import Subject


def _weights(seed: int = 0) -> nn.ParameterDict:
    """Return a matrix, a vector and a number far from the least value of `_quadratic`."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"matrix": (4, 3), "vector": (5,), "number": (1,)}
    drawn = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return nn.ParameterDict({name: nn.Parameter(value) for name, value in drawn.items()})


def _optimizer(subject: Subject, groups: Any) -> Optimizer:
    optimizer: Any = subject.build(params=groups)
    if callable(getattr(optimizer, "train", None)):  # it has modes: this is training
        optimizer.train()
    return optimizer  # type: ignore[no-any-return]


def _step(optimizer: Optimizer, weights: nn.ParameterDict, times: int = 1) -> list[float]:
    """Return the losses before each of some steps down a quadratic bowl."""
    values = []
    for _ in range(times):
        optimizer.zero_grad()
        loss = torch.stack([w.square().sum() for w in weights.values()]).sum()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


def decreases(subject: Subject) -> str:
    """It goes down a quadratic bowl, by `step` without a closure."""
    weights = _weights()
    values = _step(_optimizer(subject, [*weights.values()]), weights, times=50)
    if not values[-1] < values[0]:
        fail(
            f"goes from {values[0]:.4g} to {values[-1]:.4g} in 50 steps down a quadratic bowl",
            "a smaller value",
            "Look at the sign of the update; or give arguments=dict(lr=...)",
        )
    return f"from {values[0]:.4g} to {values[-1]:.4g} in 50 steps"


def resumes(subject: Subject) -> str:
    """Saved, loaded into a new one and continued, it makes the very steps of the unbroken run."""
    weights = _weights()
    optimizer = _optimizer(subject, [*weights.values()])
    _step(optimizer, weights, times=5)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    twin = copy.deepcopy(weights)
    resumed = _optimizer(subject, [*twin.values()])
    try:
        resumed.load_state_dict(torch.load(file, weights_only=True))
    except Exception as error:
        fail(
            f"has a state dict that cannot be loaded: {type(error).__name__}: "
            f"{str(error).splitlines()[0]}",
            "plain containers, numbers and tensors, which load with weights_only=True",
            "Keep the state in self.state[parameter] and in param_groups",
        )
    _step(optimizer, weights, times=5)
    _step(resumed, twin, times=5)
    for name, weight in weights.items():
        if not torch.equal(weight, twin[name]):
            apart = float((weight - twin[name]).detach().abs().max())
            fail(
                f"ends {apart:.2g} away from the unbroken run, five steps after loading its state",
                "the same to the last bit: a killed run is resumed so",
                "Keep momenta and step counts in self.state[parameter], nothing beside it",
            )
    return "five steps after loading, equal to the last bit"


def param_groups(subject: Subject) -> str:
    """Groups of parameters keep their own options: one of lr=0 does not move."""
    weights = _weights()
    still = weights["vector"].detach().clone()
    groups = [
        {"params": [weights["matrix"], weights["number"]]},
        {"params": [weights["vector"]], "lr": 0.0, "weight_decay": 0.0},
    ]
    try:
        optimizer = _optimizer(subject, groups)
    except NotBuilt as error:
        subject.build()  # where that fails, too, groups are not the reason
        raise CheckFailed(str(error)) from error
    if len(optimizer.param_groups) != 2:
        count = len(optimizer.param_groups)
        fail(f"makes {count} groups of two", "param_groups as given", "Pass params on to super()")
    before = weights["matrix"].detach().clone()
    _step(optimizer, weights, times=3)
    if not torch.equal(weights["vector"], still):
        fail(
            "moves the parameters of a group of lr=0",
            "none of its own: heads and backbones are trained at rates of their own",
            "Read group['lr'] for each of self.param_groups, and pass defaults with 'lr'",
        )
    if torch.equal(weights["matrix"], before):
        fail("does not move the other group", "a step", "Loop over all of self.param_groups")
    return "a group of lr=0 stays"


def skips_frozen(subject: Subject) -> str:
    """A parameter without a gradient is left as it is."""
    weights = _weights()
    frozen = nn.Parameter(torch.ones(3))
    optimizer = _optimizer(subject, [*weights.values(), frozen])
    _step(optimizer, weights, times=2)
    if not torch.equal(frozen.detach(), torch.ones(3)):
        fail(
            "moves a parameter that has no gradient",
            "that it stays: it had no part in the loss",
            "Leave out parameters whose grad is None",
        )
    return "left as it is"


CHECKS = (decreases, resumes, param_groups, skips_frozen)
