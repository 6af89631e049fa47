"""Arguments that several transforms take; what cannot be raises ValueError."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcreg.contracts import Size
from dlcreg.data.keypoints import Pairs
from dlcreg.flipping import flip_index

Range = float | tuple[float, float]
"""One number, or from where to where."""


def range_of(name: str, value: Range, mirrored: bool) -> tuple[float, float]:
    """Return ``(low, high)``; one number r means ``(-r, r)`` if `mirrored`, else ``(r, r)``."""
    if isinstance(value, (int, float)):
        low, high = (-abs(value), abs(value)) if mirrored else (value, value)
    else:
        low, high = value
    if low > high:
        raise ValueError(f"{name} runs backwards: {value}")
    return float(low), float(high)


def size_of(size: Sequence[int]) -> Size:
    """Return height and width as ints."""
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be height and width in pixels, not {tuple(size)}")
    return int(size[0]), int(size[1])


def probability(p: float) -> float:
    """Return a number between 0 and 1."""
    if not 0 <= p <= 1:
        raise ValueError(f"p must lie between 0 and 1, not {p}")
    return float(p)


def pairs_of(
    flip_pairs: Sequence[tuple[int, int]] | None, num_keypoints: int | None
) -> Pairs | None:
    """Return twins as pairs of ints, checked where the number of keypoints is known."""
    if flip_pairs is None:
        return None
    pairs = tuple((int(a), int(b)) for a, b in flip_pairs)
    if num_keypoints is not None:
        flip_index(pairs, num_keypoints)
    return pairs


def swap_of(flip_pairs: Pairs | None, num_keypoints: int) -> np.ndarray:
    """Return int64 ``(K,)``: whose place each keypoint takes in a mirror image."""
    if flip_pairs is None:
        raise ValueError(
            "a mirror image swaps left and right, and nothing says which keypoints these are: "
            "give flip_pairs, or () where there are none"
        )
    return flip_index(flip_pairs, num_keypoints)
