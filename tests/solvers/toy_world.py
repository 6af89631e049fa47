"""A small world to train in: dots on noise, and a network that finds them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from dlcreg.contracts import Dataset
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses, Sample

SIZE = 12


class Dots(Dataset):
    """One animal of three keypoints an image; the noise depends on (epoch, index)."""

    def __init__(self, count: int, seed: int = 0, noise: float = 8.0) -> None:
        self.info = DatasetInfo(keypoint_names=("nose", "hip", "tail"))
        self.noise = noise
        self.epoch = 0
        points = np.random.default_rng(seed).uniform(1, SIZE - 2, (count, 3, 2))
        self.points = points.astype(np.float32)

    def __len__(self) -> int:
        return len(self.points)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def annotations(self, image_id: int) -> Instances:
        points = self.points[image_id][None]
        low, high = points.min(1), points.max(1)
        return Instances(
            keypoints=points,
            visibility=np.full((1, 3), 2, np.uint8),
            boxes=np.concatenate([low, high - low], axis=1),
            areas=(high - low).prod(1),
            valid=np.ones(1, bool),
            ids=np.zeros(1, np.int64),
        )

    def image(self, image_id: int) -> np.ndarray:
        image = np.zeros((SIZE, SIZE, 3), np.float64)
        for channel, (x, y) in enumerate(self.points[image_id]):
            image[round(float(y)), round(float(x)), channel] = 255
        noise = np.random.default_rng([self.epoch, image_id]).normal(0, self.noise, image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)

    def __getitem__(self, index: int) -> Sample:
        meta = Meta(index, f"labeled-data/video/img{index}.png", (SIZE, SIZE), None, index)
        return Sample(self.image(index), self.annotations(index), np.eye(2, 3), meta)


class Net(nn.Module):
    """Coordinates by regression; with dropout and batch normalisation if asked for."""

    def __init__(self, dropout: float = 0.0, norm: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4) if norm else nn.Identity(), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Flatten(), nn.Linear(4 * SIZE**2, 6))

    def forward(self, images, mode="tensor", instances=None, condition=None):
        points = self.head(self.body(images.float() / 255)).float().view(-1, 1, 3, 2)
        if mode == "loss":
            return {"points": (points - instances.keypoints[:, :1]).square().mean()}
        if mode == "predict":
            count = len(points)
            valid = torch.ones(count, 1, dtype=torch.bool)
            return Poses(points, torch.full((count, 1, 3), 0.9), torch.ones(count, 1), valid)
        return {"points": points}
