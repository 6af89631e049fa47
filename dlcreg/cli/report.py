"""Metrics as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Parts = Mapping[str, Mapping[str, Any]]
"""Metrics by part of the data, as in ``metrics.json``."""


def print_metrics(metrics: Parts) -> None:
    """Print each value, then the mean error of each keypoint; a column for each part."""
    from rich.console import Console

    console = Console(soft_wrap=True)
    names = dict.fromkeys(
        name for values in metrics.values() for name, value in values.items() if _number(value)
    )
    rows = {name: [values.get(name) for values in metrics.values()] for name in names}
    console.print(_table("metric", metrics, rows))
    tables = [values.get("per_keypoint") or {} for values in metrics.values()]
    keypoints = dict.fromkeys(name for table in tables for name in table)
    if keypoints:
        errors = {
            name: [table.get(name, {}).get("mean_error_px") for table in tables]
            for name in keypoints
        }
        console.print()
        console.print(_table("mean error, pixels", metrics, errors))


def _table(title: str, parts: Parts, rows: Mapping[str, list[Any]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(title)
    for part in parts:
        table.add_column(part, justify="right")
    for name, values in rows.items():
        table.add_row(name, *map(_format, values))
    return table


def _number(value: Any) -> bool:
    return value is None or isinstance(value, (int, float))


def _format(value: Any) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def difference_lines(one: Any, left: str, right: str) -> str:
    """Return a `Difference` as three lines: its path, then each side with its place."""
    sides = [("-", one.left, one.left_place, left), ("+", one.right, one.right_place, right)]
    lines = [one.path]
    for sign, value, place, source in sides:
        where = f"{place.file}:{place.line}:{place.column}" if place else source
        shown = str(value) if _is_missing(value) else f"{value!r}"
        lines.append(f"  {sign} {shown}" + ("" if _is_missing(value) else f"    {where}"))
    return "\n".join(lines)


def difference_row(one: Any) -> dict[str, Any]:
    """Return a `Difference` for JSON; a side that has no value is left out."""
    row: dict[str, Any] = {"path": one.path}
    for name in ("left", "right"):
        value, place = getattr(one, name), getattr(one, f"{name}_place")
        if not _is_missing(value):
            row[name] = {"value": value, **place_row(place)}
    return row


def place_row(place: Any) -> dict[str, Any]:
    """Return file, line and column of a `Location` for JSON; null where it is None."""
    return {key: getattr(place, key, None) for key in ("file", "line", "column")}


def _is_missing(value: Any) -> bool:
    from dlcreg.config.difference import MISSING

    return value is MISSING


def step_lines(step: Any) -> str:
    """Return a `dlcreg.apis.step.Step` in lines."""
    losses = ", ".join(f"{name} {value:.4g}" for name, value in step.losses.items())
    update = "" if step.updated else " (fp16 overflowed: the weights were left as they are)"
    return (
        f"losses:  {losses}\n"
        f"norm of the gradient: {step.gradient_norm:.4g}{update}\n"
        f"time:    {step.data_seconds:.2f} s to draw {step.images} images, {step.seconds:.2f} s "
        f"for the step on {step.device}"
    )
