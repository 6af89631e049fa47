"""How a model of DeepLabCut 3 is trained, as the section ``solver`` of dlcreg."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlcreg.apis.deeplabcut.section import Section


def solver_of(config: Section, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    """Return optimizer, schedule and lengths; weights and predictions do not hang on them.

    Args:
        config: a section with ``runner`` and ``train_settings``.
        metrics: what validation measures.
    """
    runner, settings = config.section("runner"), config.section("train_settings")
    optimizer = runner.section("optimizer")
    params = optimizer.section("params")
    chosen = {"type": optimizer.get("type", "AdamW"), **params.values}
    for part in (params, optimizer):
        part.ignore(*part.values)
    snapshots = runner.section("snapshots")
    solver: dict[str, Any] = {"optimizer": chosen}
    schedule = _schedule(runner, chosen.get("lr"))
    if schedule:
        solver["schedule"] = schedule
    solver |= {
        "max_epochs": int(settings.number("epochs", 200)),
        "metrics": metrics,
        "val_interval": int(runner.number("eval_interval", 10)),
        "checkpoint_interval": int(snapshots.number("save_epochs", 25)),
        "max_keep": int(snapshots.number("max_snapshots", 5)),
        "seed": int(settings.number("seed", 42)),
    }
    snapshots.ignore("save_optimizer_state")
    snapshots.close()
    runner.ignore(
        "type", "gpus", "device", "key_metric", "key_metric_asc", "snapshot_prefix",
        "load_weights_only", "scheduler",
    )  # fmt: skip
    settings.ignore(
        "batch_size", "dataloader_workers", "dataloader_pin_memory", "display_iters", "weight_init"
    )
    runner.close()
    settings.close()
    return solver


def batches(config: Section) -> dict[str, int]:
    """Return the size of a batch, and how many processes prepare them."""
    settings = config.section("train_settings")
    return {
        "batch_size": int(settings.number("batch_size", 8)),
        "num_workers": int(settings.number("dataloader_workers", 0)),
    }


def _schedule(runner: Section, rate: Any) -> list[dict[str, Any]]:
    scheduler = runner.section("scheduler")
    if not scheduler.values:
        return []
    kind, params = scheduler.get("type"), scheduler.section("params")
    if kind == "SequentialLR":
        starts = [0, *params.get("milestones", [])]
        parts = params.sections("schedulers")
        found = [
            step
            for part, start in zip(parts, starts)
            for step in _steps(part, int(start), part.get("type"), rate)
        ]
    else:
        found = _steps(scheduler, 0, kind, rate)
    for section in (params, scheduler):
        section.ignore(*section.values)
    return found


def _steps(section: Section, start: int, kind: Any, rate: Any) -> list[dict[str, Any]]:
    params = section.section("params")
    at = {"begin": start} if start else {}
    if kind == "LRListScheduler":
        return _of_list(params.get("lr_list", []), params.get("milestones", []), start, rate)
    if kind in ("MultiStepLR", "ExponentialLR", "StepLR"):
        return [{"type": kind, **params.values, **at}]
    if kind == "LinearLR":
        warm_up = {
            "type": kind,
            "start_factor": params.number("start_factor", 1 / 3),
            "end_factor": params.number("end_factor", 1.0),
            **at,
            "end": start + int(params.number("total_iters", 5)),
        }
        return [warm_up]
    if kind == "CosineAnnealingLR":
        length = int(params.number("T_max", 1))
        low = params.number("eta_min", 0.0)
        return [{"type": kind, "T_max": length, "eta_min": low, **at, "end": start + length}]
    section.note(f"the schedule {kind} is left out: the learning rate stays")
    return []


def _of_list(
    rates: Sequence[Any], milestones: Sequence[Any], start: int, rate: Any
) -> list[dict[str, Any]]:
    """Return a list of learning rates as steps, those of equal factors together."""
    found: list[dict[str, Any]] = []
    for value, epoch in zip(rates, milestones):
        new = value[0] if isinstance(value, (list, tuple)) else value
        if not rate or not new or new == rate:
            continue
        gamma, rate = round(new / rate, 12), new
        if found and found[-1]["gamma"] == gamma:
            found[-1]["milestones"].append(start + int(epoch))
        elif start + int(epoch) > 0:
            found.append(
                {"type": "MultiStepLR", "milestones": [start + int(epoch)], "gamma": gamma}
            )
    return found
