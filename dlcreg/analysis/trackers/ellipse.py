"""SORT with ellipses."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dlcreg.analysis.trackers.shapes import ellipse_similarity, ellipses
from dlcreg.analysis.trackers.sort import Found, Sort
from dlcreg.registry import TRACKERS


@TRACKERS.register_module()
class SortEllipse(Sort):
    """Animals are ellipses through their keypoints, alike by Hellinger distance; see `Sort`.

    An ellipse knows which way a long animal lies, which a box does not, and one keypoint that is
    missing or wrong changes it less.

    Args:
        threshold: least similarity (`ellipse_similarity`) of an animal and its successor.
        sort: see `Sort`.
    """

    code: ClassVar[str] = "el"

    def __init__(self, threshold: float = 0.3, **sort: Any) -> None:
        super().__init__(threshold=threshold, **sort)

    def described(self, found: Found) -> np.ndarray:
        """Return ellipses ``(M, 5)``, see `ellipses`."""
        return ellipses(found.keypoints, self.min_size)

    def similarity(self, predicted: np.ndarray, found: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Return one minus the Hellinger distances ``(T, M)``."""
        return ellipse_similarity(predicted, found)
