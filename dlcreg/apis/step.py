"""One real step of a training, to see that it goes."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from dlcreg.apis.settings import ConfigSource
from dlcreg.builder import build
from dlcreg.errors import DlcregError
from dlcreg.solvers.finite import NonFiniteLoss


@dataclass(frozen=True)
class Step:
    """What one step of the optimizer showed.

    Args:
        losses: weighted losses by name, and their sum as ``loss``.
        gradient_norm: of all weights together, before any clipping.
        images: number of images in the batch.
        data_seconds: for the batch.
        seconds: for forward pass, backward pass and update.
        device: where it was computed.
        updated: False if fp16 overflowed, so that the weights were left as they are: that happens
            in the first steps, until the loss scaling has found its size.
    """

    losses: dict[str, float]
    gradient_norm: float
    images: int
    data_seconds: float
    seconds: float
    device: str
    updated: bool


def one_step(config: ConfigSource) -> Step:
    """Build everything that a config names, and make one step on the first batch; write nothing.

    Raises:
        ConfigError: the config has mistakes.
        NonFiniteLoss: a loss is infinite or NaN.
        DlcregError: so is the gradient, or a weight after the update.
    """
    solver = build(config).solver
    start = time.perf_counter()
    batch = next(iter(solver.train_loader.epoch(0)))
    drawn = time.perf_counter()
    solver.model.train()
    if callable(getattr(solver.optimizer, "train", None)):  # one with modes of its own
        solver.optimizer.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(solver.seed)
        losses = solver.step.forward_backward(batch, 1, 0, 0)
    solver.step.finite.flush()
    norm = _gradient_norm(solver)
    values = {name: float(value) for name, value in losses.items()}
    if not math.isfinite(norm) and not solver.step.scaler.is_enabled():
        raise NonFiniteLoss(
            f"the gradient is not finite (norm {norm}) though the loss is ({values['loss']:g}): "
            "some part divides by zero, or takes the root of it. The images: "
            f"{', '.join(dict.fromkeys(meta.path for meta in batch.meta))}"
        )
    try:
        updated = solver.step.update()
    except RuntimeError as error:  # such as a number that float32 does not hold
        name = type(solver.optimizer).__name__
        raise DlcregError(f"{name} cannot update the weights: {error}") from error
    seconds = time.perf_counter() - drawn
    for name, weight in solver.model.named_parameters():
        if not torch.isfinite(weight).all():
            raise DlcregError(f"the first update makes {name} infinite or NaN: lower the lr.")
    return Step(values, norm, len(batch), drawn - start, seconds, str(solver.device), bool(updated))


def _gradient_norm(solver: object) -> float:
    weights = solver.model.parameters()  # type: ignore[attr-defined]
    norms = [torch.linalg.vector_norm(w.grad.float()) for w in weights if w.grad is not None]
    scale = solver.step.scaler.get_scale()  # type: ignore[attr-defined]
    return float(torch.stack(norms).norm() / scale) if norms else 0.0
