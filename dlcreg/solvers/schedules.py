"""Learning rates and other options of the optimizer over time: mmengine's parameter schedulers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim import Optimizer

from dlcreg.contracts import Metric
from dlcreg.errors import CheckpointError, ConfigError, Problem
from dlcreg.registry import SCHEDULERS
from dlcreg.solvers.monitor import find_monitor
from dlcreg.wiring import construct


class Schedules:
    """All schedules of a run.

    Schedules with ``by_epoch=True``, mmengine's default, take a step after each epoch; those with
    ``by_epoch=False`` after each update of the weights, so that several batches accumulated into
    one update count once. ``end`` is the end of the training if not given; a negative ``begin``
    counts from that end, and is the start of a training that is shorter. A warm-up that is a share
    of the training (``pct_start``) has two steps at least, so that short trainings have one.

    Args:
        cfg: configs or built schedulers of mmengine; ``convert_to_iter_based=True`` turns epochs
            into updates.
        optimizer: whose options change.
        max_epochs: length of the training in epochs.
        updates_per_epoch: updates of the weights in an epoch.
    """

    def __init__(
        self,
        cfg: Sequence[Any] | Mapping[str, Any],
        optimizer: Optimizer,
        max_epochs: int,
        updates_per_epoch: int,
    ) -> None:
        alone = isinstance(cfg, Mapping) or not isinstance(cfg, Sequence)
        items = [cfg] if alone else list(cfg)
        self.optimizer = optimizer
        self._alone = alone
        self.schedulers = [
            self._build(item, _path(index, alone), max_epochs, updates_per_epoch)
            for index, item in enumerate(items)
        ]

    def _build(self, item: Any, path: str, max_epochs: int, updates_per_epoch: int) -> Any:
        if not isinstance(item, Mapping):
            return item
        cfg = dict(item)
        convert = cfg.pop("convert_to_iter_based", False)
        by_epoch = cfg.get("by_epoch", True)
        length = max_epochs if by_epoch else max_epochs * updates_per_epoch
        cfg.setdefault("end", length)
        if cfg.get("begin", 0) < 0:
            cfg["begin"] = max(cfg["begin"] + length, 0)
        if "pct_start" in cfg:
            cfg["pct_start"] = _warm_up(cfg, updates_per_epoch if convert else 1)
        if not convert:
            return construct(SCHEDULERS, cfg, {"optimizer": self.optimizer}, path)
        try:
            build = SCHEDULERS.get(cfg.pop("type")).build_iter_from_epoch  # type: ignore[attr-defined]
            return build(self.optimizer, epoch_length=updates_per_epoch, **cfg)
        except (AssertionError, TypeError, ValueError) as error:
            raise ConfigError(
                Problem(path, f"cannot be converted to iterations: {error}")
            ) from error

    def step_update(self) -> None:
        """Say that the weights were updated."""
        for scheduler in self.schedulers:
            if not scheduler.by_epoch:
                scheduler.step()

    def step_epoch(self) -> None:
        """Say that an epoch has ended."""
        for scheduler in self.schedulers:
            if scheduler.by_epoch:
                scheduler.step()

    def step_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Say what the validation measured, for the schedules that wait for a plateau."""
        for scheduler in self.schedulers:
            if hasattr(scheduler, "monitor"):
                scheduler.step(dict(metrics))

    def check(self, metrics: Sequence[Metric]) -> None:
        """Find schedules that wait for something that validation does not measure.

        Args:
            metrics: what validation measures; empty without a validation part.

        Raises:
            ConfigError: there is such a schedule.
        """
        for index, scheduler in enumerate(self.schedulers):
            if hasattr(scheduler, "monitor"):
                path = f"{_path(index, self._alone)}.monitor"
                find_monitor(metrics, scheduler.monitor, path)

    def values(self) -> dict[str, float]:
        """Return the learning rate now, by parameter group where the groups differ."""
        rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        if len(set(rates)) == 1:
            return {"lr": rates[0]}
        return {f"lr_{index}": rate for index, rate in enumerate(rates)}

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the state of every schedule, but for functions, which its config makes anew."""
        return [
            {name: value for name, value in scheduler.state_dict().items() if not callable(value)}
            for scheduler in self.schedulers
        ]

    def load_state_dict(self, states: Sequence[dict[str, Any]]) -> None:
        """Restore the state of every schedule.

        Raises:
            CheckpointError: the run that was saved had other schedules.
        """
        if len(states) != len(self.schedulers):
            raise CheckpointError(
                f"the checkpoint has {len(states)} schedules, this config {len(self.schedulers)}. "
                "Resume with the config of the run, which stands in its work dir."
            )
        for scheduler, state in zip(self.schedulers, states, strict=True):
            scheduler.load_state_dict(state)


def _warm_up(cfg: Mapping[str, Any], steps: int) -> Any:
    """Return the share of a schedule that is its warm-up, of two steps at least.

    One of a step has no length: OneCycleLR divides by it; of a shorter one nothing is left.

    Args:
        cfg: a schedule.
        steps: how many make one of its own units.
    """
    share = cfg["pct_start"]
    length = (cfg.get("total_steps") or cfg["end"] - cfg.get("begin", 0)) * steps
    return max(share, 2 / length) if share > 0 and length >= 2 else share


def _path(index: int, alone: bool) -> str:
    """Return where a schedule stands in the config: by itself, or in a list."""
    return "solver.schedule" if alone else f"solver.schedule.{index}"
