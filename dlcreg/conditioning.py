"""Which parts of a model are given a condition: a pose that is known already."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

_NAME = "condition"


def takes_condition(part: Any) -> bool:
    """Return whether the forward of a part has a parameter ``condition``."""
    return _parameter(part) is not None


def needs_condition(part: Any) -> bool:
    """Return whether a part takes a condition and does not work without."""
    parameter = _parameter(part)
    return parameter is not None and parameter.default is inspect.Parameter.empty


def made_up_condition(
    num_keypoints: int | None, size: tuple[int, int], device: torch.device | str | None = None
) -> Tensor:
    """Return a condition ``(1, K, 3)`` to try a part on, where none is known.

    Args:
        num_keypoints: number of keypoints K; None where it is not known.
        size: height and width of the image, in whose middle all keypoints lie.
        device: of the condition; None: torch's default.
    """
    height, width = size
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2, 1.0], device=device)
    return middle.expand(1, num_keypoints or 1, 3)


def _parameter(part: Any) -> inspect.Parameter | None:
    forward = getattr(part, "forward", None)
    return None if forward is None else inspect.signature(forward).parameters.get(_NAME)
