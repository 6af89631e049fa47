"""What a run leaves behind in numbers: lines, ``metrics.csv``, TensorBoard."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor

from dlcreg import files
from dlcreg.registry import HOOKS
from dlcreg.solvers.console import Clock

LINE_SECONDS = 60.0
BAR_SECONDS = 0.2


@HOOKS.register_module()
class LoggerHook(Hook):
    """Reports the run: a line after each epoch, a table, TensorBoard.

    ``metrics.csv`` in the work dir has a row for each epoch: epoch and iteration, both counted
    from 1, learning rate, mean training losses (``train/...``), what validation measured
    (``val/...``), the seconds that the training took and those of them spent waiting for data.
    After a resumption it is as if the run had not been interrupted. TensorBoard's files are in
    ``tensorboard``.

    Args:
        interval: iterations between two points of the training losses in TensorBoard.
        tensorboard: whether to write TensorBoard's files.

    Raises:
        ValueError: an interval below 1.
    """

    priority = "BELOW_NORMAL"

    def __init__(self, interval: int = 50, tensorboard: bool = True) -> None:
        if interval < 1:
            raise ValueError(f"interval={interval}: give 1 or more")
        self.interval = interval
        self.tensorboard = tensorboard
        self._rows: list[dict[str, float]] = []
        self._sums: dict[str, Tensor] = {}
        self._count = 0
        self._waited = self._worked = self._mark = 0.0
        self._writer: Any = None

    @property
    def rows(self) -> list[dict[str, float]]:
        """The rows of ``metrics.csv``."""
        return self._rows

    def before_train(self, runner: Any) -> None:
        """Open what is written to."""
        runner.console.start_progress(runner.max_iters, runner.iter)
        self._line_clock, self._bar_clock = Clock(LINE_SECONDS), Clock(BAR_SECONDS)
        if self.tensorboard and runner.is_main:
            from torch.utils.tensorboard import SummaryWriter

            # points after the checkpoint that is resumed from are written again
            self._writer = SummaryWriter(
                str(runner.work_dir / "tensorboard"), purge_step=runner.iter or None
            )

    def before_train_epoch(self, runner: Any) -> None:
        """Start the clock of the epoch."""
        self._mark = time.monotonic()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Count the time that the batch was waited for."""
        self._waited += self._lap()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Add the losses to the epoch's mean."""
        for name, value in (outputs or {}).items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach().double()
        self._count += 1
        self._worked += self._lap()
        done = runner.iter + 1
        if self._writer is not None and done % self.interval == 0:
            for name, value in (outputs or {}).items():
                self._writer.add_scalar(f"train/{name}", float(value), done)
            for name, value in runner.schedules.values().items():
                self._writer.add_scalar(f"train/{name}", value, done)
        if self._bar_clock.due():
            runner.console.advance(done, self._progress(runner, outputs))
        if self._line_clock.due() and not runner.console.has_bar:
            batches = len(runner.train_loader)
            runner.say(f"{self._progress(runner, outputs)}, batch {batch_idx + 1} of {batches}")

    def after_train_epoch(self, runner: Any) -> None:
        """Write the epoch's row, without what a validation may add to it."""
        row: dict[str, float] = {"epoch": runner.epoch + 1, "iter": runner.iter}
        row.update(runner.schedules.values())
        row.update({f"train/{name}": value for name, value in self._means().items()})
        row["seconds"] = round(self._waited + self._worked, 3)
        row["seconds_waiting"] = round(self._waited, 3)
        self._rows.append(row)
        self._sums, self._count, self._waited, self._worked = {}, 0, 0.0, 0.0
        self._line_clock.due()
        if not runner.validation_is_due(runner.epoch + 1):
            runner.say(self._line(runner, row))
            self._write_table(runner)

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Write what the validation measured."""
        values = {f"val/{k}": v for k, v in (metrics or {}).items() if isinstance(v, float)}
        if not self._rows:
            return
        self._rows[-1].update(values)
        runner.say(self._line(runner, self._rows[-1]))
        self._write_table(runner)
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, runner.iter)

    def close(self, runner: Any) -> None:
        """Close TensorBoard's files; called at the end of a run that fails, too."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def state_dict(self) -> dict[str, Any]:
        """Return the table and the sums of the epoch."""
        return {
            "rows": [dict(row) for row in self._rows],
            "sums": dict(self._sums),
            "count": self._count,
            "waited": self._waited,
            "worked": self._worked,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._rows = [dict(row) for row in state["rows"]]
        self._sums = dict(state["sums"])
        self._count = state["count"]
        self._waited, self._worked = state["waited"], state["worked"]

    def _lap(self) -> float:
        now = time.monotonic()
        seconds, self._mark = now - self._mark, now
        return seconds

    def _means(self) -> dict[str, float]:
        if not self._sums:
            return {}
        values = torch.stack(list(self._sums.values())) / max(self._count, 1)
        return dict(zip(self._sums, values.tolist(), strict=True))

    def _progress(self, runner: Any, outputs: Any) -> str:
        loss = (outputs or {}).get("loss")
        text = f"epoch {runner.epoch + 1} of {runner.max_epochs}"
        return text if loss is None else f"{text}, loss {float(loss):.3g}"

    def _line(self, runner: Any, row: dict[str, float]) -> str:
        width = len(str(runner.max_epochs))
        parts = [f"epoch {int(row['epoch']):{width}d}/{runner.max_epochs}"]
        parts += [f"loss {row['train/loss']:.3g}"] if "train/loss" in row else []
        rate = next((v for k, v in row.items() if k.startswith("lr")), None)
        parts += [f"lr {rate:.2g}"] if rate is not None else []
        shown = [key for metric in runner.metrics for key in metric.keys[:1]]
        parts += [f"{key} {row[f'val/{key}']:.4g}" for key in shown if f"val/{key}" in row]
        parts.append(f"{row['seconds']:.1f} s")
        return "  ".join(parts)

    def _write_table(self, runner: Any) -> None:
        if not runner.is_main:
            return
        names = dict.fromkeys(name for row in self._rows for name in row)
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, list(names), lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows)
        files.write_text(runner.work_dir / "metrics.csv", text.getvalue())
