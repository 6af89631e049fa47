"""What a run says before its first batch: mistakes that would show only later, and a summary."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.hooks import Hook

from dlcreg.errors import ConfigError, Problem
from dlcreg.solvers.evaluation import Loader
from dlcreg.solvers.runner import HookedRun


def check_numbers(**numbers: float | None) -> None:
    """Check the numbers that the solver is given; None where one is left out.

    Raises:
        ConfigError: numbers that make no sense, all together.
    """
    problems = []
    for name, value in numbers.items():
        if value is None:
            continue
        if name == "ema":
            fits, wanted = 0 < value <= 1, "the share of the newest weights, in (0, 1]"
        elif name == "layer_decay":
            fits, wanted = 0 < value <= 1, "a factor in (0, 1]"
        elif name == "clip_grad":
            fits, wanted = value > 0, "a positive norm"
        elif name == "max_keep":
            fits, wanted = value >= 1 or value == -1, "1 or more, or -1 to keep all"
        elif name == "seed":
            fits, wanted = 0 <= value < 2**63, "0 to 2**63 - 1"
        else:
            fits, wanted = value >= 1, "1 or more"
        if not fits:
            problems.append(Problem(f"solver.{name}", f"{value:g} makes no sense: give {wanted}."))
    if problems:
        raise ConfigError(problems)


def check_batches(train: Loader) -> None:
    """Check that there is something to train on.

    Raises:
        ConfigError: the training part gives no batch.
    """
    if len(train) == 0:
        raise ConfigError(
            Problem(
                "data.train",
                f"{len(train.dataset)} samples give no batch: make data.batch_size smaller.",
            )
        )


def check_hooks(hooks: Sequence[Hook]) -> None:
    """Check that one hook at most says which weights are measured and kept.

    Raises:
        ConfigError: several do.
    """
    providers = [type(hook).__name__ for hook in hooks if getattr(hook, "provides_weights", False)]
    if len(providers) > 1:
        raise ConfigError(
            Problem(
                "solver.hooks",
                f"{' and '.join(providers)} each keep weights of their own to be measured and "
                "saved as the best: leave all but one of them out.",
            )
        )


def describe(run: HookedRun) -> str:
    """Return in a line what is trained, on what and where."""
    millions = sum(p.numel() for p in run.model.parameters() if p.requires_grad) / 1e6
    val = len(run.val_loader.dataset) if run.val_loader is not None else 0
    batches = len(run.train_loader)
    return (
        f"{type(run.model).__name__} with {millions:.3g} million parameters to train, on "
        f"{run.device}: {len(run.train_loader.dataset)} samples in {batches} "
        f"batch{'es' * (batches != 1)} an epoch, {val} for validation; results in {run.work_dir}"
    )
