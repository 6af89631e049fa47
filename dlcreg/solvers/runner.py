"""The names that hooks written for mmengine read from the run they are called by."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from dlcreg.solvers import devices
from dlcreg.solvers.evaluation import Loader


class HookedRun:
    """What a hook may ask of a run, under the names of mmengine's runner.

    Further ones are `epoch` and `iter` (finished ones, so that in ``after_train_iter`` the number
    of the present one counted from 0), `max_epochs`, `model`, `work_dir`, `hooks` and
    `stop_training`, which a hook may set.

    A hook that keeps other weights than those that are trained, such as an average, says
    ``provides_weights = True`` and sets `evaluated_model` in ``before_run`` to a copy of the model
    that it holds. Validation measures it, ``best.pth`` holds it, and each checkpoint has its
    weights beside the trained ones, to predict with.
    """

    model: nn.Module
    evaluated_model: nn.Module
    optimizer: Optimizer
    device: torch.device
    work_dir: Path
    train_loader: Loader
    val_loader: Loader | None
    max_epochs: int
    epoch: int
    iter: int
    stop_training: bool

    @property
    def max_iters(self) -> int:
        """Iterations of the whole training."""
        return self.max_epochs * len(self.train_loader)

    @property
    def train_dataloader(self) -> Loader:
        """The loader of the training part."""
        return self.train_loader

    @property
    def val_dataloader(self) -> Loader | None:
        """The loader of the validation part."""
        return self.val_loader

    @property
    def train_loop(self) -> HookedRun:
        """The run itself, whose `stop_training` a hook may set."""
        return self

    @property
    def log_dir(self) -> str:
        """Folder for what a hook writes."""
        return str(self.work_dir)

    @property
    def logger(self) -> logging.Logger:
        """The logger of dlcreg."""
        return logging.getLogger("dlcreg")

    @property
    def rank(self) -> int:
        """Number of this process in a distributed run."""
        return devices.rank()

    @property
    def world_size(self) -> int:
        """Processes of a distributed run."""
        return devices.world_size()

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return devices.is_main()

    @cached_property
    def optim_wrapper(self) -> Any:
        """The optimizer as mmengine's ``OptimWrapper``, to read from."""
        from mmengine.optim import OptimWrapper

        return OptimWrapper(self.optimizer)

    @cached_property
    def message_hub(self) -> Any:
        """A message hub of this run alone, for hooks that write scalars to one."""
        from mmengine.logging import MessageHub

        return MessageHub("dlcreg")
