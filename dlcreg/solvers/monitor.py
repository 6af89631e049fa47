"""Which measure decides: the best checkpoint, early stopping."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcreg.contracts import Metric
from dlcreg.errors import ConfigError, Problem


@dataclass(frozen=True)
class Monitor:
    """A measure and its good direction.

    Args:
        key: key of a metric.
        higher_is_better: whether more is better.
    """

    key: str
    higher_is_better: bool

    def better(self, value: float, than: float | None, by: float = 0.0) -> bool:
        """Return whether `value` is better than the best so far; NaN never is."""
        if math.isnan(value):
            return False
        if than is None or math.isnan(than):
            return True
        return value > than + by if self.higher_is_better else value < than - by

    def value(self, values: Mapping[str, Any]) -> float:
        """Return the measure's value among those of a validation."""
        return float(values[self.key])


def find_monitor(metrics: Sequence[Metric], key: str | None, path: str) -> Monitor:
    """Return the monitor of a key.

    Args:
        metrics: the metrics of the validation.
        key: one of their keys; None: the first key of the first metric.
        path: config path of the key, for the message.

    Raises:
        ConfigError: no metric has such a key.
    """
    directions = {k: metric.higher_is_better for metric in metrics for k in metric.keys}
    if not directions:
        raise ConfigError(
            Problem(path, "there is no metric to go by. Add metrics=[dict(type='PixelError')].")
        )
    if key is None:
        key = next(iter(directions))
    if key not in directions:
        close = difflib.get_close_matches(key, directions, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            Problem(path, f"no metric measures {key!r}.{hint} Known: {', '.join(directions)}.")
        )
    return Monitor(key, directions[key])
