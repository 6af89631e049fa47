"""Hooks in the order of their priorities, with the interface and the priorities of mmengine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook

from dlcreg.contracts import BringsHooks
from dlcreg.errors import ConfigError, Problem
from dlcreg.registry import HOOKS
from dlcreg.wiring import construct

PRIORITIES = {
    "HIGHEST": 0,
    "VERY_HIGH": 10,
    "HIGH": 30,
    "ABOVE_NORMAL": 40,
    "NORMAL": 50,
    "BELOW_NORMAL": 60,
    "LOW": 70,
    "VERY_LOW": 90,
    "LOWEST": 100,
}
"""mmengine's names; the lower number is called first."""


def build_hooks(cfg: Sequence[Any], defaults: Sequence[Hook]) -> list[Hook]:
    """Return all hooks of a run, those of the highest priority first.

    Args:
        cfg: hooks, or configs such as ``dict(type='EmptyCacheHook', priority='LOW')``.
        defaults: the hooks that a run has anyway; one of `cfg` replaces those of the same class.

    Raises:
        ConfigError: an unknown priority.
    """
    given = [_build(item, f"solver.hooks.{index}") for index, item in enumerate(cfg)]
    classes = {type(hook) for hook in given}
    hooks = [hook for hook in defaults if type(hook) not in classes] + given
    return sorted(hooks, key=lambda hook: _number(hook.priority))


def hooks_of(*parts: Any) -> list[Hook]:
    """Return the hooks that parts bring along, one of each class; see `BringsHooks`."""
    brought = [hook for part in parts if isinstance(part, BringsHooks) for hook in part.run_hooks()]
    return list({type(hook): hook for hook in brought}.values())


def _build(item: Any, path: str) -> Hook:
    if isinstance(item, Hook):
        return item
    if not isinstance(item, Mapping):
        raise ConfigError(Problem(path, f"a hook or dict(type=...) is wanted, not {item!r}."))
    cfg = dict(item)
    priority = cfg.pop("priority", None)
    hook: Hook = construct(HOOKS, cfg, {}, path)
    if priority is not None:
        if not isinstance(priority, int) and str(priority).upper() not in PRIORITIES:
            raise ConfigError(
                Problem(
                    f"{path}.priority",
                    f"{priority!r} is no priority. Known: {', '.join(PRIORITIES)}, or 0 to 100.",
                )
            )
        hook.priority = priority  # type: ignore[assignment]
    return hook


def _number(priority: Any) -> int:
    return priority if isinstance(priority, int) else PRIORITIES[str(priority).upper()]
