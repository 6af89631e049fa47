"""SORT with boxes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dlcreg.analysis.trackers.shapes import box_overlap
from dlcreg.analysis.trackers.sort import Found, Sort
from dlcreg.registry import TRACKERS


@TRACKERS.register_module()
class SortBox(Sort):
    """Animals are boxes, alike by intersection over union; see `Sort`.

    The box is the one that the model found, where it finds any, else the extent of the keypoints.

    Args:
        threshold: least intersection over union of an animal and its successor.
        sort: see `Sort`.
    """

    code: ClassVar[str] = "bx"

    def __init__(self, threshold: float = 0.3, **sort: Any) -> None:
        super().__init__(threshold=threshold, **sort)

    def described(self, found: Found) -> np.ndarray:
        """Return x, y of the middle, width, height ``(M, 4)``."""
        return found.boxes

    def similarity(self, predicted: np.ndarray, found: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Return intersection over union ``(T, M)``."""
        return box_overlap(predicted, found)
