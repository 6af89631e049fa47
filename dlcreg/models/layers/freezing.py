"""Parts of a network that do not learn."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def freeze(modules: Iterable[nn.Module]) -> None:
    """Switch off the gradients of `modules` and put them into evaluation mode."""
    for module in modules:
        module.eval()
        module.requires_grad_(False)


def fix_statistics(module: nn.Module) -> None:
    """Put every batch normalisation in `module` into evaluation mode; its weights still learn."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.eval()


def freeze_norms(module: nn.Module) -> None:
    """Keep weights and statistics of every batch normalisation in `module` as they are."""
    freeze(part for part in module.modules() if isinstance(part, _BatchNorm))
