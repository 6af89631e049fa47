"""What a checkpoint says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from dlcreg.registry.recorded import compare
from dlcreg.solvers import checkpoint as checkpoints

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
"""Endings of names in a state dict that are counted, not trained."""


def contents(path: str | Path) -> dict[str, Any]:
    """Return in plain containers where a checkpoint comes from and what it is made of.

    Args:
        path: a ``.pth`` file of a training.

    Returns:
        ``file``, ``dlcreg`` and ``torch`` (the versions that wrote it), ``epoch`` (finished ones;
        None if it does not say), ``resumable``, ``best`` (key, value, epoch), ``keypoints``,
        ``parameters`` (how many numbers were trained), ``graph`` (the types by section),
        ``parts`` (each with ``status`` and the version ``installed`` now, see
        `dlcreg.registry.recorded.Recorded`) and the whole ``config``.

    Raises:
        CheckpointError: the file is missing, damaged or of another program.
    """
    state = checkpoints.load(path, map_location="meta")
    config = state.get("config") or {}
    best = state.get("best") or _best_of(state)
    position = state.get("position") or {}
    return {
        "file": str(path),
        "dlcreg": state.get("dlcreg"),
        "torch": state.get("torch"),
        "epoch": position.get("epoch", (best or {}).get("epoch")),
        "resumable": bool(position),
        "best": best,
        "keypoints": list((state.get("info") or {}).get("keypoint_names") or ()),
        "parameters": _parameters(state["model"]),
        "graph": {name: _types(value) for name, value in config.items() if _types(value)},
        "parts": [
            {**asdict(row.part), "status": row.status, "installed": row.installed}
            for row in compare(state.get("provenance") or ())
        ],
        "config": config,
    }


def _best_of(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the best score that any hook of the run remembers."""
    for hook in (state.get("hooks") or {}).values():
        best = hook.get("best") if isinstance(hook, Mapping) else None
        if isinstance(best, Mapping) and "value" in best:
            return dict(best)
    return None


def _parameters(model: Mapping[str, Tensor]) -> int:
    return sum(value.numel() for name, value in model.items() if not name.endswith(_BUFFERS))


def _types(config: Any) -> list[str]:
    return list(_walk(config))


def _walk(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        if "type" in config:
            yield str(config["type"])
        for value in config.values():
            yield from _walk(value)
    elif isinstance(config, (list, tuple)):
        for item in config:
            yield from _walk(item)
