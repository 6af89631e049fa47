"""The size of a config's images, as far as it can be told without opening its data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.config import ConfigTree
from dlcreg.contracts import Size


def written_size(tree: ConfigTree) -> Size | None:
    """Return height and width that the transforms of a config bring its images to.

    That is the ``size`` of the last one that has a size, of the training data or else of other
    data; None where none has, so that images come in sizes of their own.
    """
    for part in ("train", "val", "test"):
        steps = tree.get(f"data.{part}.transform")
        for step in reversed(steps if isinstance(steps, list) else [steps]):
            size = _size(step)
            if size is not None:
                return size
    return None


def _size(step: Any) -> Size | None:
    size = step.get("size") if isinstance(step, Mapping) else None
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        return None
    if not all(isinstance(length, int) and length > 0 for length in size):
        return None
    return int(size[0]), int(size[1])
