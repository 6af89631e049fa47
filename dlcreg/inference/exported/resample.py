"""The move of an image by a matrix, as `dlcreg.data.transforms.warp` does it, in a graph."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg.contracts import Size
from dlcreg.data.transforms.warp import Warp, invert, shrink_of

_PADDING = {"constant": "zeros", "reflect": "reflection", "replicate": "border"}


class Resample(nn.Module):
    """Frames of one size moved by one matrix, sampled linearly and without aliasing.

    Args:
        warp: the move.
        size: height and width of the frames.
    """

    grid: Tensor | None

    def __init__(self, warp: Warp, size: Size) -> None:
        super().__init__()
        backward = invert(warp.matrix)
        self.shrink = shrink_of(backward, size)
        self.fill = float(warp.fill if warp.border == "constant" else 0)
        self.padding = _PADDING[warp.border or "replicate"]
        self.rest = (0, -size[1] % self.shrink, 0, -size[0] % self.shrink)
        height, width = (-(-length // self.shrink) for length in size)
        y, x = np.mgrid[: warp.size[0], : warp.size[1]]
        at = np.stack([x, y, np.ones_like(x)], axis=-1) @ backward.T  # pixels of the frame
        at = (at - (self.shrink - 1) / 2) / self.shrink  # of its blocks
        whole = (height, width) == tuple(warp.size) and np.allclose(at, np.stack([x, y], axis=-1))
        at = 2 * at / np.maximum([width - 1, height - 1], 1) - 1
        grid = None if whole else torch.from_numpy(at.astype(np.float32))[None]
        self.register_buffer("grid", grid, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return uint8 ``(B, 3, h, w)`` of uint8 ``(B, 3, H, W)``."""
        moved = images.float()
        if any(self.rest):
            moved = F.pad(moved, self.rest, mode="replicate")
        if self.shrink > 1:
            moved = (F.avg_pool2d(moved, self.shrink) + 0.5).floor()  # halves as OpenCV has them
        if self.grid is not None:
            grid = self.grid.expand(images.shape[0], -1, -1, -1)
            moved = F.grid_sample(
                moved - self.fill, grid, "bilinear", self.padding, align_corners=True
            )
            moved = (moved + self.fill).round()
        return moved.clamp(0, 255).to(torch.uint8)
