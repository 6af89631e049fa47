"""What dlcreg's checks must know of the parts of this package."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dlcreg_rle.codec import OUTPUT


def outputs_of(targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what a perfect model gives for the targets of `RLECodec`: sigmas have no target."""
    share = targets[OUTPUT]
    return {OUTPUT: torch.cat([share, torch.full_like(share, -4.0)], dim=-1)}


def loss_inputs(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return output, target and weight for `RLELoss`."""
    generator = torch.Generator().manual_seed(seed)
    output, target = (torch.randn(2, 4, n, generator=generator) for n in (4, 2))
    return output, 0.3 * target, torch.tensor([[1.0, 0, 1, 1], [1, 1, 1, 0]])[..., None]


_HEAD = {"codec": {"type": "RLECodec"}, "losses": {OUTPUT: {"type": "RLELoss"}}}

PARTS: dict[str, dict[str, Any]] = {
    # the likelihood of labels that are met exactly has no bound: later, the kit's high and
    # constant rate throws them off again, which clip_grad and a schedule prevent in a run
    "heads/RLEHead": {"arguments": _HEAD, "steps": 60},
    "codecs/RLECodec": {"outputs": outputs_of},
    "losses/RLELoss": {"inputs": loss_inputs},
}
"""Options of `dlcreg.testing.check_component` by part."""
