"""What a forward pass computes, counted without computing it."""

from __future__ import annotations

import math
from typing import Any

import torch
import torchvision  # noqa: F401  registers torch.ops.torchvision
from torch.utils.flop_counter import FlopCounterMode


def operation_counter() -> FlopCounterMode:
    """Return a counter of floating-point operations, two for each multiply-accumulate.

    It counts convolutions, matrix products and attention as torch does, and deformable
    convolutions (Dai et al., 2017): weights times output pixels, the sampling left out. On the meta
    device attention is counted whatever kernel a processor would choose for it.
    """
    deformable = {torch.ops.torchvision.deform_conv2d: _deformable}
    return FlopCounterMode(display=False, custom_mapping=deformable)


def _deformable(images: Any, weight: Any, *_: Any, out_shape: Any, **__: Any) -> int:
    batch, _channels, height, width = out_shape
    return 2 * int(batch * height * width * math.prod(weight))
