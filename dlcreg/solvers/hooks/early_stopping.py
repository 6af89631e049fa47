"""Ends a training that no longer gets better."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from dlcreg.errors import ConfigError, Problem
from dlcreg.registry import HOOKS
from dlcreg.solvers.monitor import find_monitor


@HOOKS.register_module()
class EarlyStoppingHook(Hook):
    """Ends the training when validation has found nothing better for a while.

    Args:
        patience: validations without a better value after which the training ends.
        monitor: metric key; None: that of ``save_best``, or else the first of the first metric.
        min_delta: what a value must be better by to count.

    Raises:
        ValueError: a patience below 1 or a negative `min_delta`.
    """

    priority = "VERY_LOW"

    def __init__(
        self, patience: int = 5, monitor: str | None = None, min_delta: float = 0.0
    ) -> None:
        if patience < 1:
            raise ValueError(f"patience={patience}: give 1 or more")
        if min_delta < 0:
            raise ValueError(f"min_delta={min_delta:g}: give 0 or more")
        self.patience = patience
        self.monitor = monitor
        self.min_delta = min_delta
        self.best: float | None = None
        self.waited = 0

    def check_run(self, runner: Any) -> None:
        """Find the measure that decides, before anything starts."""
        if runner.val_loader is None:
            raise ConfigError(
                Problem(
                    "solver.early_stopping",
                    "there is no validation part to measure on. Give data.val, for instance with "
                    "data.split=dict(val_fraction=0.1), or leave early_stopping out.",
                )
            )
        key, path = self.monitor, "solver.early_stopping.monitor"
        if key is None:
            key, path = runner.save_best_key, "solver.save_best"
        self._monitor = find_monitor(runner.metrics, key, path)

    def before_train(self, runner: Any) -> None:
        """Stay stopped, if the run that is resumed was."""
        self._stop_if_done(runner)

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Count, and end the training if it is time."""
        value = self._monitor.value(metrics or {})
        if self._monitor.better(value, self.best, self.min_delta):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        self._stop_if_done(runner)

    def _stop_if_done(self, runner: Any) -> None:
        if self.waited >= self.patience:
            runner.stop_training = True
            best = "no value" if self.best is None else f"{self.best:.4g}"
            runner.say(
                f"early stopping after epoch {runner.epoch}: {self._monitor.key} has not been "
                f"better than {best} for {self.waited} validations"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and how long it has stood."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.best, self.waited = state["best"], state["waited"]
