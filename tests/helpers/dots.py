"""Animals that are two dots, and models without weights that find them and are never wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from dlcreg.solvers import checkpoint
from dlcreg.structures import Poses

SIZE = (100, 160)


def drawn(animals: Sequence[Any]) -> np.ndarray:
    """Return a picture of animals given by heads (x, y) and their tails, as red and green dots."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    image = np.zeros((*SIZE, 3), np.float32)
    for head, tail in animals:
        for channel, (px, py) in enumerate((head, tail)):
            spot = 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8)
            image[..., channel] = np.maximum(image[..., channel], spot)
    return image.astype(np.uint8)


def crossing(frame: int) -> list[Any]:
    """Return two animals that pass each other, 20 pixels apart, in 40 frames."""
    right, left = 20 + 3 * frame, 140 - 3 * frame
    return [((right, 40), (right - 12, 28)), ((left, 60), (left + 12, 72))]


def saved(path: Path, model: str, view: str = "image", **options: Any) -> Path:
    """Save a model of this module as a checkpoint, and return its path.

    Args:
        path: the file.
        model: name of its class.
        view: ``image``, or ``instance`` for a model of crops.
        options: of the model.
    """
    crop = [{"type": "CropInstance", "size": [96, 96]}] if view == "instance" else []
    part = {"type": "PoseDataset", "project": "nowhere", "view": view, "transform": crop}
    config = {"model": {"type": f"dots:{model}", **options}, "data": {"train": part, "test": part}}
    rows = options.get("rows", 1)
    info = {"keypoint_names": ["head", "tail"], "num_individuals": rows}
    if view == "instance":
        info["individuals"] = ["one", "two"]
    return Path(checkpoint.save(path, {"model": {}, "config": config, "info": info}))


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
        light = _light(images, self.num_keypoints)
        if mode != "predict":
            return {"light": light}
        way = (_places(light) - condition[:, :, None, None, :2]).norm(dim=-1)
        near = light * (way < self.reach) * (condition[..., 2] > 0)[..., None, None]
        return _poses(*_centres(near[:, None]))


class BandDots(nn.Module):
    """Finds in each of so many bands of an image, one below the other, an animal and its box.

    Args:
        rows: number of bands.
    """

    seen: ClassVar[list[tuple[int, int]]] = []
    """Height and width of all images that any of these models has seen."""

    def __init__(self, rows: int = 1, num_keypoints: int = 2) -> None:
        super().__init__()
        self.rows, self.num_keypoints = rows, num_keypoints

    def forward(self, images, mode="tensor", condition=None):
        """Return the poses of images; an animal without dots is not found."""
        light = _light(images, self.num_keypoints)
        if mode != "predict":
            return {"light": light}
        self.seen.append(tuple(light.shape[-2:]))
        height = light.shape[-2]
        band = torch.arange(height) * self.rows // height
        masks = band == torch.arange(self.rows)[:, None]  # (N, H)
        points, scores = _centres(light[:, None] * masks[None, :, None, :, None])
        poses = _poses(points, scores)
        low, high = points.amin(dim=2) - 8, points.amax(dim=2) + 8
        poses.boxes = torch.cat([low, high - low], dim=-1)
        return poses


def _light(images: Tensor, colours: int) -> Tensor:
    """Return how bright each colour is, ``(B, K, H, W)``, without what compression leaves."""
    light = images[:, :colours].float() / 255
    return light * (light > 0.1)


def _places(light: Tensor) -> Tensor:
    height, width = light.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y], dim=-1).float()  # (H, W, 2)


def _centres(light: Tensor) -> tuple[Tensor, Tensor]:
    """Return the centres (B, N, K, 2) of light (B, N, K, H, W), and whether there is any."""
    mass = light.sum(dim=(-2, -1))
    points = (light[..., None] * _places(light)).sum(dim=(-3, -2)) / mass[..., None]
    scores = (mass > 1).float()
    points[scores == 0] = torch.nan
    return points, scores


def _poses(points: Tensor, scores: Tensor) -> Poses:
    return Poses(points, scores, scores.mean(dim=-1), scores.any(dim=-1))
