"""Learning curves of a run."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlcreg.files import written_whole


def draw_learning_curves(path: Path, table: Path) -> Path:
    """Draw `learning_curves`.

    Args:
        path: the PNG to write.
        table: the run's ``metrics.csv``.
    """
    figure = learning_curves(table)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=110)
    return path


def learning_curves(table: Path) -> Figure:
    """Return losses, validation metrics and learning rate over the epochs.

    Args:
        table: the run's ``metrics.csv``: a row for each epoch; columns ``epoch``, ``lr``,
            ``train/...`` and ``val/...``.
    """
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = list(rows[0]) if rows else []
    series = {name: _series(rows, name) for name in names}
    measured = [name for name in names if name.startswith("val/")]
    panels = {
        "training loss": _losses(series),
        "validation, pixels": [name for name in measured if "_px" in name],
        "validation, share": [name for name in measured if "_px" not in name],
        "learning rate": [name for name in names if name == "lr" or name.startswith("lr_")],
    }
    panels = {title: [n for n in names if series[n]] for title, names in panels.items()}
    panels = {title: names for title, names in panels.items() if names}
    figure = Figure(figsize=(5.2 * max(len(panels), 1), 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, shown) in zip(
        figure.subplots(1, max(len(panels), 1), squeeze=False)[0], panels.items()
    ):
        for name in shown:
            label = name.partition("/")[2] or name
            axes.plot(*zip(*series[name]), label=label, marker="." if len(rows) < 30 else None)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(title)
        values = [value for name in shown for _, value in series[name]]
        if title == "training loss" and 0 < 10 * min(values) < max(values):
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure


def _losses(series: Mapping[str, object]) -> list[str]:
    """Return the losses; their sum alone where it has but one part."""
    names = [name for name in series if name.startswith("train/")]
    return names if len(names) != 2 else [name for name in names if name == "train/loss"] or names


def _series(rows: Sequence[dict[str, str]], name: str) -> list[tuple[float, float]]:
    return [(float(row["epoch"]), float(row[name])) for row in rows if row[name] not in ("", None)]
