"""One batch: forward, loss, backward; and, after the last batch of a group, an update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from dlcreg.errors import ConfigError, Problem
from dlcreg.solvers.devices import Precision, autocast, settled
from dlcreg.solvers.finite import FiniteCheck
from dlcreg.structures import Batch


class TrainingStep:
    """Turns batches into updates of the weights.

    Args:
        model: called as ``model(images, mode='loss', instances=..., condition=...)``.
        optimizer: holds the weights.
        device: where the weights are.
        precision: of the forward pass; fp16 also scales the loss, so that small gradients do not
            vanish.
        accumulate: batches whose gradients make one update.
        clip_grad: largest norm of all gradients together; None: as they are.
        layout: order in memory of the images.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Optimizer,
        *,
        device: torch.device,
        precision: Precision = "fp32",
        accumulate: int = 1,
        clip_grad: float | None = None,
        layout: torch.memory_format = torch.preserve_format,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.device = device
        self.precision = settled(device, precision)
        self.accumulate = accumulate
        self.clip_grad = clip_grad
        self.layout = layout
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")
        self.finite = FiniteCheck()
        optimizer.zero_grad(set_to_none=True)

    def group(self, batch: int, batches: int) -> tuple[int, bool]:
        """Return how many batches share the update of `batch`, and whether it is their last.

        The last group of an epoch may be smaller; its mean is then over fewer batches.

        Args:
            batch: number of the batch in its epoch.
            batches: batches in the epoch.
        """
        first = batch - batch % self.accumulate
        size = min(self.accumulate, batches - first)
        return size, batch == first + size - 1

    def forward_backward(
        self, batch: Batch, group_size: int, epoch: int, number: int
    ) -> dict[str, Tensor]:
        """Add the gradients of a batch, as its share of the group's mean; return its losses.

        Args:
            batch: images and labels, on any device.
            group_size: batches that share the update.
            epoch: finished epochs, for messages.
            number: number of the batch in its epoch, for messages.

        Raises:
            ConfigError: the model has no loss.
            NonFiniteLoss: a loss is infinite or NaN.
        """
        moved = batch.to(self.device, non_blocking=True)
        images = moved.images.to(memory_format=self.layout)
        options = {} if moved.condition is None else {"condition": moved.condition}
        with autocast(self.device, self.precision):
            losses = self.model(images, mode="loss", instances=moved.instances, **options)
        if not losses:
            raise ConfigError(
                Problem("model.head.losses", "the model has no loss: there is nothing to train on.")
            )
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        self.finite(losses, batch.meta, epoch, number)
        self.scaler.scale(total / group_size if group_size > 1 else total).backward()
        return {"loss": total.detach(), **{name: loss.detach() for name, loss in losses.items()}}

    def update(self) -> bool:
        """Change the weights by the gradients; return False if fp16 overflowed and it was left."""
        if self.clip_grad is not None:
            self.scaler.unscale_(self.optimizer)
            weights = [p for group in self.optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(weights, self.clip_grad)
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return self.scaler.get_scale() >= scale

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimizer and of the loss scaling."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "optimizer_type": type(self.optimizer).__name__,
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: the state is of another optimizer, or the parameter groups differ.
        """
        kind = type(self.optimizer).__name__
        if state["optimizer_type"] != kind:  # torch takes it, and fails at the first update
            raise ValueError(f"it was saved by {state['optimizer_type']}, and this is {kind}")
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
