"""Pixels as they are stored to pixels as they are shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Display:
    """How a stored picture is turned to be shown.

    Args:
        transposed: rows become columns, first of all.
        mirrored: columns are taken from right to left.
        upside_down: rows are taken from bottom to top.
    """

    transposed: bool = False
    mirrored: bool = False
    upside_down: bool = False

    @classmethod
    def from_matrix(cls, values: bytes) -> Display:
        """Return what the display matrix of ISO base media files asks for.

        Args:
            values: nine int32, row by row; a point (p, q) is shown at
                ``(a p + c q, b p + d q)``. Turns by other angles than right ones are left out.
        """
        a, b, _, c, d = np.frombuffer(values, np.int32)[:5].tolist()
        if abs(b) > abs(a):
            return cls(transposed=True, mirrored=c < 0, upside_down=b < 0)
        return cls(mirrored=a < 0, upside_down=d < 0)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width as they are shown."""
        return (width, height) if self.transposed else (height, width)

    def shown(self, image: np.ndarray) -> np.ndarray:
        """Return a picture ``(H, W, 3)`` as it is shown, contiguous."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        if self.mirrored:
            image = image[:, ::-1]
        if self.upside_down:
            image = image[::-1]
        return np.ascontiguousarray(image)
