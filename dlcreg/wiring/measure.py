"""Channels and strides of backbones and necks that do not declare them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlcreg.conditioning import made_up_condition, needs_condition
from dlcreg.contracts import Backbone, Neck
from dlcreg.wiring.held import Guess

SIZE = (256, 192)
"""Height and width of an image whose real size is not known."""


def measure(part: Any, context: Mapping[str, Any]) -> None:
    """Set `out_channels` and `out_strides` of a backbone or neck from one forward pass.

    Does nothing where the part declares them, or is neither.

    Args:
        part: what was just built.
        context: `in_channels` and `in_strides` for a neck; `input_size` and, for a conditioned
            backbone, `num_keypoints` where they are known.
    """
    if not isinstance(part, (Backbone, Neck)):
        return
    if hasattr(part, "out_channels") and hasattr(part, "out_strides"):
        return
    size = context.get("input_size", SIZE)
    size = size.value if isinstance(size, Guess) else size
    inputs = _inputs(part, size, context)
    if inputs is None:
        return
    training = part.training
    part.eval()
    with torch.no_grad():
        maps = part(*inputs)
    part.train(training)
    part.out_channels = tuple(feature.shape[1] for feature in maps)
    part.out_strides = tuple(round(size[0] / feature.shape[2]) for feature in maps)


def _inputs(part: nn.Module, size: Any, context: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return what the forward of a part is given, or None where that is not known."""
    tensor: Tensor | None = next(part.parameters(), None)
    device = tensor.device if tensor is not None else torch.device("cpu")
    if isinstance(part, Backbone):
        images = torch.zeros(1, 3, *size, device=device)
        if not needs_condition(part):
            return (images,)
        count = context.get("num_keypoints")
        count = count.value if isinstance(count, Guess) else count
        return images, made_up_condition(count, size, device)
    channels, strides = context.get("in_channels"), context.get("in_strides")
    if not isinstance(channels, tuple) or not isinstance(strides, tuple):
        return None
    features = tuple(
        torch.zeros(1, c, -(-size[0] // s), -(-size[1] // s), device=device)
        for c, s in zip(channels, strides)
    )
    return (features,)
