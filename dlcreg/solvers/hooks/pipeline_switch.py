"""Other augmentation for the last epochs."""

from __future__ import annotations

from typing import Annotated, Any

from mmengine.hooks import Hook

from dlcreg.errors import ConfigError, DataError, Problem
from dlcreg.registry import HOOKS
from dlcreg.schema import Deferred


@HOOKS.register_module()
class PipelineSwitchHook(Hook):
    """From an epoch on, training samples go through other transforms, such as weaker ones.

    As in RTMPose (Jiang et al., 2023), whose last epochs see crops that are moved less. Which
    transforms a sample goes through follows from its epoch alone, in a run that was resumed, too.

    Args:
        switch_epoch: first epoch with them, counted from 0; a negative one counts from the end:
            -30 makes them those of the last 30 epochs, or of all of a training that is shorter.
        transform: what happens to a sample then, as of a data set; all of it, from the crop on.

    Raises:
        ConfigError: the training has no such epoch, or the loader of its data cannot switch.
    """

    priority = "NORMAL"

    def __init__(
        self, switch_epoch: int, transform: Annotated[Any, Deferred("transforms")]
    ) -> None:
        self.switch_epoch = switch_epoch
        self.transform = transform

    def check_run(self, runner: Any) -> None:
        """Tell the loader, which builds the transforms, before anything starts."""
        if self.switch_epoch >= runner.max_epochs:
            raise _problem(
                f"switches at epoch {self.switch_epoch}, but the training has {runner.max_epochs}, "
                "counted from 0. A negative switch_epoch counts from the end"
            )
        first = self.switch_epoch
        if first < 0:
            first = max(first + runner.max_epochs, 0)
        switch = getattr(runner.train_loader, "switch_pipeline", None)
        if switch is None:
            raise _problem(
                "needs a loader with switch_pipeline(epoch, transform), such as EpochLoader; "
                f"{type(runner.train_loader).__name__} has none"
            )
        try:
            switch(first, self.transform)
        except ConfigError as error:
            told = "; ".join(f"{p.path}: {p.message}".rstrip(".") for p in error.problems)
            raise _problem(f"cannot build its {told}") from error
        except DataError as error:
            raise _problem(f"cannot take its transform: {error}") from error


def _problem(what: str) -> ConfigError:
    return ConfigError(Problem("solver.hooks", f"PipelineSwitchHook {what}."))
