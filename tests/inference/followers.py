"""A model that finds coloured dots near those of its condition: no weights, and never wrong."""

from __future__ import annotations

import torch
from torch import nn

from dlcreg.structures import Poses


class NearestDots(nn.Module):
    """Keypoint k of an animal is a dot of colour k; all animals look alike.

    Args:
        reach: pixels of the crop around a keypoint of the condition in which the dot is looked for.
    """

    needs_condition = True

    def __init__(self, reach: float = 24.0, num_keypoints: int = 2) -> None:
        super().__init__()
        self.reach, self.num_keypoints = reach, num_keypoints

    def forward(self, images, mode="tensor", condition=None):
        """Return the poses of crops; a keypoint without a dot in reach is not found."""
        light = images[:, : self.num_keypoints].float() / 255  # (B, K, H, W)
        if mode != "predict":
            return {"light": light}
        height, width = light.shape[-2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        place = torch.stack([x, y], dim=-1).float()  # (H, W, 2)
        way = (place - condition[:, :, None, None, :2]).norm(dim=-1)
        near = light * (way < self.reach) * (condition[..., 2] > 0)[..., None, None]
        mass = near.sum(dim=(-2, -1))
        points = (near[..., None] * place).sum(dim=(2, 3)) / mass[..., None]
        scores = (mass > 1).float()
        points[scores == 0] = torch.nan
        valid = torch.ones(len(images), 1, dtype=torch.bool)
        return Poses(points[:, None], scores[:, None], scores.mean(dim=1)[:, None], valid)
