"""All that a run must remember to go on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.hooks import Hook

from dlcreg.errors import CheckpointError
from dlcreg.solvers.checkpoint import load_weights
from dlcreg.solvers.randomness import random_state, set_random_state

if TYPE_CHECKING:
    from dlcreg.solvers.solver import Solver


def run_state(run: Solver) -> dict[str, Any]:
    """Return the state of a run between two updates of its weights."""
    return {
        "model": run.model.state_dict(),
        **run.step.state_dict(),
        "schedulers": run.schedules.state_dict(),
        "hooks": {name: hook.state_dict() for name, hook in stateful(run.hooks).items()},
        "position": {
            "epoch": run.epoch,
            "batch": run.batch,
            "iter": run.iter,
            "batches": len(run.train_loader),
            "validation_open": run.validation_open,
        },
        "seed": run.seed,
        "random": random_state(),
    }


def restore_run(run: Solver, state: Mapping[str, Any], path: Path) -> None:
    """Bring a run to where `run_state` was taken.

    The random generators come last: whatever was drawn in between is undone.

    Args:
        run: a run of the same config.
        state: what `run_state` returned, and what hooks added to it.
        path: where it was read from, for messages.

    Raises:
        CheckpointError: the run that was saved had another model, optimizer, schedules, data or
            split.
    """
    _check_split(state, run.metadata, path)
    position = state["position"]
    batches = len(run.train_loader)
    if position["batch"] and position["batches"] != batches:
        raise CheckpointError(
            f"{path} was saved within an epoch of {position['batches']} batches; this one has "
            f"{batches}. Resume with the data and the batch size of the run, or from a checkpoint "
            "at the end of an epoch."
        )
    if state["seed"] != run.seed:
        run.logger.warning(
            "the run was begun with seed=%s and goes on with seed=%s: the order of the images "
            "and their augmentation change",
            state["seed"],
            run.seed,
        )
    load_weights(run.model, state["model"], str(path))
    try:
        run.step.load_state_dict(state)
    except (ValueError, KeyError) as error:
        raise CheckpointError(
            f"the optimizer's state in {path} does not fit this config: {error}. Resume with the "
            "config of the run, which stands in its work dir."
        ) from error
    run.schedules.load_state_dict(state["schedulers"])
    for name, hook in stateful(run.hooks).items():
        if name in state["hooks"]:
            hook.load_state_dict(state["hooks"][name])
    run.epoch, run.batch, run.iter = (position[key] for key in ("epoch", "batch", "iter"))
    run.validation_open = position["validation_open"] and run.val_loader is not None
    run.call_hook("after_load_checkpoint", checkpoint=dict(state))
    set_random_state(state["random"])


def _check_split(state: Mapping[str, Any], metadata: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on with images in other parts: those trained on would be tested on."""
    if "split" not in state or "split" not in metadata:
        return
    before, now = (_part_of_image(content["split"]) for content in (state, metadata))
    moved = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if moved:
        was, is_ = before.get(moved[0], "no part"), now.get(moved[0], "no part")
        raise CheckpointError(
            f"{path} was trained with another split: {len(moved)} of {len({*before, *now})} images "
            f"changed their part. {moved[0]} was in {was} and is in {is_}. Resume with the split "
            "of the run, which stands as split.json in its work dir, or start anew in another "
            "work dir."
        )


def _part_of_image(split: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the part of each image of a split as checkpoints hold it; none without a split."""
    parts = ("train", "val", "test")
    return {name: part for part in parts for name in (split or {}).get(part, ())}


def stateful(hooks: Sequence[Hook]) -> dict[str, Any]:
    """Return the hooks that have a state, by class name and, of several, by number."""
    found: dict[str, Any] = {}
    for hook in hooks:
        if hasattr(hook, "state_dict") and hasattr(hook, "load_state_dict"):
            name = type(hook).__name__
            same = sum(other.partition("#")[0] == name for other in found)
            found[f"{name}#{same}" if same else name] = hook
    return found
