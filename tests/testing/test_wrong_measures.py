"""Wrong metrics and optimizers: each is caught by the check that is meant for it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dlcreg import Metric
from dlcreg.testing import check_component


class Error(Metric):
    """Mean distance of the first animal's keypoints."""

    @property
    def keys(self):
        return ("error",)

    def reset(self, info):
        self.distances = []

    def update(self, poses, instances, meta):
        if not poses.valid[0, 0]:
            return
        known = instances.visibility[0] > 0
        offset = poses.keypoints[0, 0].numpy() - instances.keypoints[0]
        self.distances += np.linalg.norm(offset, axis=-1)[known].tolist()

    def compute(self):
        return {"error": self.mean(self.distances)}

    def mean(self, values):
        return float(np.mean(values)) if values else math.nan


class Undeclared(Error):
    """Computes a number that it does not declare."""

    def compute(self):
        return {**super().compute(), "count": 3}


class NotComputed(Error):
    """Declares a number that it does not compute."""

    @property
    def keys(self):
        return ("error", "rmse")

    def compute(self):
        return {"error": self.mean(self.distances), "rmse": {}}


class NeverForgets(Error):
    """Keeps the images of all runs."""

    def reset(self, info):
        self.distances = getattr(self, "distances", [])


class CountsUnlabelled(Error):
    """Counts keypoints without a label."""

    def update(self, poses, instances, meta):
        if poses.valid[0, 0]:
            offset = poses.keypoints[0, 0].numpy() - instances.keypoints[0]
            self.distances += np.linalg.norm(offset, axis=-1).tolist()


class CountsPadding(Error):
    """Counts every row of predictions."""

    def update(self, poses, instances, meta):
        super().update(poses, instances, meta)
        self.distances += [1.0] * (poses.valid.shape[1] - 1)


class OtherWay(Error):
    """Takes large errors for good."""

    higher_is_better = True


class FailsOnNothing(Error):
    """Divides by the number of keypoints."""

    def mean(self, values):
        return sum(values) / len(values)


class LastCountsMost(Error):
    """Weighs later images more."""

    def mean(self, values):
        weights = np.arange(1, len(values) + 1)
        return float((weights * values).sum() / weights.sum()) if values else math.nan


class WritesIntoPoses(Error):
    """Rounds the poses in place."""

    def update(self, poses, instances, meta):
        poses.keypoints.round_()
        super().update(poses, instances, meta)


class Descent(torch.optim.Optimizer):
    """Gradient descent with momentum.

    Args:
        params: parameters or groups.
        lr: step.
    """

    sign = -1

    def __init__(self, params, lr: float = 0.05) -> None:
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.move(p, group["lr"])

    def move(self, p, lr):
        momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
        momentum.mul_(0.5).add_(p.grad)
        p.add_(momentum, alpha=self.sign * lr)


class Ascends(Descent):
    """Goes up."""

    sign = 1


class HiddenMomentum(Descent):
    """Keeps its momentum where no state dict finds it."""

    def move(self, p, lr):
        hidden = self.__dict__.setdefault("hidden", {})
        momentum = hidden.setdefault(p, torch.zeros_like(p))
        momentum.mul_(0.5).add_(p.grad)
        p.add_(momentum, alpha=-lr)


class OneRate(Descent):
    """Takes the first group's rate for all."""

    def move(self, p, lr):
        super().move(p, self.param_groups[0]["lr"])


class MovesFrozen(Descent):
    """Decays parameters without a gradient, too."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(1 - 0.01 * group["lr"])
        super().step()


class NeedsClosure(Descent):
    """Computes the loss itself."""

    def step(self, closure):
        closure()
        super().step()


def failed(kind: str, part: type, **options) -> set[str]:
    results = check_component(kind, part, **options)
    return {result.check for result in results if result.status == "failed"}


@pytest.mark.parametrize(("kind", "part"), [("metrics", Error), ("optimizers", Descent)])
def test_a_right_part_passes(kind, part):
    assert failed(kind, part) == set()


@pytest.mark.parametrize(
    ("part", "check"),
    [
        (Undeclared, "declared_keys"),
        (NotComputed, "declared_keys"),
        (NeverForgets, "reset_forgets"),
        (CountsUnlabelled, "ignores_unlabelled"),
        (CountsPadding, "ignores_padding"),
        (OtherWay, "right_direction"),
        (FailsOnNothing, "nothing_found"),
        (LastCountsMost, "order_independent"),
        (WritesIntoPoses, "input_unchanged"),
    ],
)
def test_a_wrong_metric_is_caught_by_the_check_meant_for_it(part, check):
    assert failed("metrics", part) == {check}


@pytest.mark.parametrize(
    ("part", "check"),
    [
        (Ascends, "decreases"),
        (HiddenMomentum, "resumes"),
        (OneRate, "param_groups"),
        (MovesFrozen, "skips_frozen"),
    ],
)
def test_a_wrong_optimizer_is_caught_by_the_check_meant_for_it(part, check):
    assert failed("optimizers", part) == {check}


def test_an_optimizer_that_needs_a_closure_cannot_be_stepped():
    assert failed("optimizers", NeedsClosure) == {
        "decreases", "resumes", "param_groups", "skips_frozen",
    }  # fmt: skip
