"""Computing in float32 where autocast would round coordinates to 8 bits."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> AbstractContextManager[Any]:
    """Return a context without autocast on the device of `tensor`."""
    device = tensor.device.type
    if not torch.amp.is_autocast_available(device):  # such as the meta device
        return nullcontext()
    return torch.autocast(device, enabled=False)
