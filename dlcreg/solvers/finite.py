"""Stops a run whose loss is not finite, before the weights are lost."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from dlcreg.errors import DlcregError
from dlcreg.structures import Meta


class NonFiniteLoss(DlcregError):
    """A loss became infinite or NaN."""


class FiniteCheck:
    """Looks at the loss of every batch.

    On the CPU at once. On a GPU one batch later, so that the check does not make the device wait;
    `flush` looks at the last one, before anything is saved.
    """

    def __init__(self) -> None:
        self._pending: tuple[dict[str, Tensor], list[Meta], str] | None = None

    def __call__(
        self, losses: Mapping[str, Tensor], metas: list[Meta], epoch: int, batch: int
    ) -> None:
        """Check, or remember to check, the losses of a batch.

        Raises:
            NonFiniteLoss: a loss is not finite; the message names the images.
        """
        self.flush()
        where = f"epoch {epoch + 1}, batch {batch + 1}"
        self._pending = ({k: v.detach() for k, v in losses.items()}, metas, where)
        if all(value.device.type == "cpu" for value in losses.values()):
            self.flush()

    def flush(self) -> None:
        """Check what is still unchecked."""
        if self._pending is None:
            return
        losses, metas, where = self._pending
        self._pending = None
        values = torch.stack([value.float() for value in losses.values()]).tolist()
        bad = [
            f"{name} = {value}"
            for name, value in zip(losses, values, strict=True)
            if not -float("inf") < value < float("inf")
        ]
        if bad:
            images = "".join(f"\n    {path}" for path in dict.fromkeys(m.path for m in metas))
            raise NonFiniteLoss(
                f"the loss is not finite ({', '.join(bad)}) in {where}. The images:{images}\n"
                "Look at their labels; if these are right, lower the learning rate or set "
                "solver.clip_grad. Checkpoints saved before are good."
            )
