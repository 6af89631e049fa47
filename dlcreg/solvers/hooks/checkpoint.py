"""When to save, and which checkpoints to keep."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from dlcreg.errors import ConfigError, Problem
from dlcreg.files import written_whole
from dlcreg.registry import HOOKS
from dlcreg.solvers.folder import BEST, snapshots
from dlcreg.solvers.monitor import Monitor, find_monitor

logger = logging.getLogger("dlcreg")


@HOOKS.register_module()
class CheckpointHook(Hook):
    """Saves the run at intervals, and the weights whenever validation finds them the best so far.

    The run is in ``epoch_N.pth`` (``epoch_N_iter_M.pth`` for M batches into the next epoch), the
    best weights are in ``best.pth``. An old file is removed after the new one is on the disk.

    Args:
        interval: epochs, or iterations, between two checkpoints; the last epoch is saved always.
        by_epoch: False: `interval` counts iterations.
        max_keep: newest checkpoints to keep, ``best.pth`` not counted; -1 keeps all.
        save_best: metric key that chooses the best weights; None: the first key of the first
            metric. Only the validation part is asked, never the test part.

    Raises:
        ValueError: an interval or a number to keep that makes no sense.
    """

    priority = "VERY_LOW"

    def __init__(
        self,
        interval: int = 1,
        by_epoch: bool = True,
        max_keep: int = 2,
        save_best: str | None = None,
    ) -> None:
        if interval < 1:
            raise ValueError(f"interval={interval}: give 1 or more")
        if max_keep < 1 and max_keep != -1:
            raise ValueError(f"max_keep={max_keep}: give 1 or more, or -1 to keep all")
        self.interval = interval
        self.by_epoch = by_epoch
        self.max_keep = max_keep
        self.save_best = save_best
        self.best: dict[str, Any] | None = None
        """Key, value and epoch (counted from 1) of the best validation so far."""
        self._monitor: Monitor | None = None

    def check_run(self, runner: Any) -> None:
        """Find the measure that decides, before anything starts."""
        if runner.val_loader is not None and (runner.metrics or self.save_best):
            self._monitor = find_monitor(runner.metrics, self.save_best, "solver.save_best")
        elif self.save_best is not None:
            raise ConfigError(
                Problem(
                    "solver.save_best",
                    "there is no validation part to choose the best checkpoint by. Give data.val, "
                    "for instance with data.split=dict(val_fraction=0.1), or leave save_best out: "
                    "the last checkpoint is then the result.",
                )
            )

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Bring the best weights along, if the run goes on in another folder."""
        own = runner.work_dir / BEST
        if self.best is None or own.is_file():
            return
        other = runner.resumed_from.parent / BEST
        if other.is_file():
            with written_whole(own) as temporary:
                shutil.copyfile(other, temporary)
        else:
            logger.warning("%s is gone: the best checkpoint is sought anew", own)
            self.best = None

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Ask for a checkpoint if it is time."""
        if not self.by_epoch and self.every_n_train_iters(runner, self.interval):
            runner.save_soon()

    def after_train_epoch(self, runner: Any) -> None:
        """Ask for a checkpoint if it is time."""
        due = self.by_epoch and self.every_n_epochs(runner, self.interval)
        if due or self.is_last_train_epoch(runner):
            runner.save_soon()

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Save the weights if they are the best so far."""
        if self._monitor is None or metrics is None:
            return
        value = self._monitor.value(metrics)
        if self._monitor.better(value, self.best["value"] if self.best else None):
            self.best = {"key": self._monitor.key, "value": value, "epoch": runner.epoch}
            runner.save_best(self.best)

    def after_save_checkpoint(self, runner: Any, path: Path) -> None:
        """Remove checkpoints beyond the number to keep, now that `path` is on the disk."""
        if self.max_keep < 0:
            return
        for old in snapshots(runner.work_dir)[: -self.max_keep]:
            try:
                old.unlink(missing_ok=True)
            except OSError as error:
                logger.warning("%s cannot be removed: %s", old, error)

    def state_dict(self) -> dict[str, Any]:
        """Return the best score."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the best score."""
        self.best = state["best"]
