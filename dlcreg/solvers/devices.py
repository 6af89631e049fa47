"""Where and in which precision to compute, and which process of a distributed run this is."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import distributed

from dlcreg.errors import ConfigError, Problem

Precision = Literal["fp32", "bf16", "fp16", "auto"]
"""What a forward pass computes in; ``auto``: half precision where the device is faster in it."""

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
    precision = settled(device, precision)
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


def settled(device: torch.device, precision: Precision) -> Precision:
    """Return what ``auto`` is on a device; any other precision as it is.

    GPUs compute in bfloat16, those before Ampere in float16. A CPU is faster in bfloat16 only if it
    has instructions for it; without them it takes ten times as long as in float32.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "cpu":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return "bf16" if fast else "fp32"
    return "fp32"


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
