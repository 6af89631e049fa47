"""Where and in which precision to compute, and which process of a distributed run this is."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import distributed

from dlcreg.errors import ConfigError, Problem

Precision = Literal["fp32", "bf16", "fp16"]

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """Return the device to compute on.

    Args:
        device: such as ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``. None: the GPU if CUDA
            has one, else the CPU.

    Raises:
        ConfigError: there is no such device on this machine.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else "no such device"
        raise ConfigError(
            Problem(
                "solver.device",
                f"device {str(device)!r} cannot be used here: {first_line} Try device='cpu'.",
            )
        ) from error
    return chosen


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """Return the context in which a forward pass runs in `precision` on `device`."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


def rank() -> int:
    """Return the number of this process in a distributed run; 0 without one."""
    return distributed.get_rank() if _distributed() else 0


def world_size() -> int:
    """Return the number of processes of a distributed run; 1 without one."""
    return distributed.get_world_size() if _distributed() else 1


def is_main() -> bool:
    """Return whether this process writes the files and the log."""
    return rank() == 0


def _distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()
