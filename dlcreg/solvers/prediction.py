"""From a batch to poses in pixels of its images: one step, of evaluation and of prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from dlcreg.errors import DataError
from dlcreg.solvers.devices import Precision, autocast
from dlcreg.structures import Batch, DatasetInfo, Poses


def predict_batch(
    model: nn.Module,
    batch: Batch,
    *,
    device: torch.device,
    precision: Precision = "fp32",
    flip_test: bool = False,
    scales: Sequence[float] = (1,),
    refinements: int = 0,
) -> Poses:
    """Return the poses of a batch, on the CPU, in pixels of the original images.

    Args:
        model: called as ``model(images, mode='predict')``; in evaluation mode.
        batch: the images, on any device.
        device: where the model is.
        precision: of the forward pass.
        flip_test: average the outputs with those of the mirrored images.
        scales: see the images at these scales, one of them 1.
        refinements: how often the poses that were found are given to the model as its condition,
            in the same crops.

    Raises:
        DataError: the model gives something else than poses, or there is no condition to refine.
    """
    moved = batch.to(device, non_blocking=True)
    options: dict[str, Any] = {"flip_test": True} if flip_test else {}
    if tuple(scales) != (1,):
        options["scales"] = scales
    if moved.condition is not None:
        options["condition"] = moved.condition
    elif refinements:
        raise DataError(
            "refinements are for models with a condition, and these samples have none: leave "
            "evaluation.refinements at 0, or give proposals with keypoints"
        )
    # no_grad and not inference_mode: buffers that a model makes at its first call stay usable in
    # training
    with torch.no_grad(), autocast(device, precision):
        poses = _poses_of(model, moved.images, options)
        for _ in range(refinements):
            options["condition"] = next_condition(options["condition"], poses)
            poses = _poses_of(model, moved.images, options)
    return poses.to("cpu").to_image(batch.matrix)


def next_condition(condition: Tensor, poses: Poses) -> Tensor:
    """Return the poses that were found as the condition of the next look (Zhou et al., 2023).

    Args:
        condition: ``(B, K, 3)`` x, y, score, that of the last look; it stays where no animal was
            found.
        poses: of the same B crops, in the same pixels; of several animals in a crop the one counts
            that has the best score.

    Returns:
        float32 ``(B, K, 3)``; keypoints that were not found are 0.
    """
    if not poses.valid.any():
        return condition
    ranked = poses.instance_scores.masked_fill(~poses.valid, -torch.inf)
    best = ranked.argmax(dim=1)[:, None, None, None].expand(-1, 1, *poses.keypoints.shape[2:])
    points = poses.keypoints.gather(1, best)[:, 0]  # (B, K, 2)
    scores = poses.scores.gather(1, best[..., 0])[:, 0]
    found = points.isfinite().all(dim=-1) & (scores > 0)
    pose = torch.cat([points, scores[..., None]], dim=-1).masked_fill(~found[..., None], 0.0)
    known = poses.valid.any(dim=1)[:, None, None]
    return torch.where(known, pose.to(condition), condition)


def _poses_of(model: nn.Module, images: Tensor, options: Mapping[str, Any]) -> Poses:
    """Return the poses that a model finds, those of the first head where several find some."""
    poses = model(images, mode="predict", **options)
    if isinstance(poses, Mapping):
        poses = next(iter(poses.values()))
    if not isinstance(poses, Poses):
        raise DataError(
            f"{type(model).__name__}(mode='predict') gave a {type(poses).__name__}; "
            "dlcreg.Poses are wanted."
        )
    return poses


def nobody(info: DatasetInfo, rows: int = 0) -> Poses:
    """Return the poses of an image without animals, B = 1, with so many rows that only pad."""
    count = info.num_keypoints
    return Poses(
        keypoints=torch.full((1, rows, count, 2), torch.nan),
        scores=torch.zeros(1, rows, count),
        instance_scores=torch.zeros(1, rows),
        valid=torch.zeros(1, rows, dtype=torch.bool),
        unique=None if info.unique is None else nobody(info.unique, min(rows, 1)),
    )


def animals_of(poses: Poses, row: int) -> Poses:
    """Return the animals of one image, with B = 1 and no padding."""
    keep = poses.valid[row]

    def pick(value: Any) -> Any:
        if isinstance(value, Poses):
            return animals_of(value, row)
        return None if value is None else value[row : row + 1, keep]

    return Poses(**{field.name: pick(getattr(poses, field.name)) for field in fields(poses)})


def joined(parts: Sequence[Poses]) -> Poses:
    """Return the animals of several crops of an image together; what some do not know is left out.

    Of the unique body parts, which an image has once, those of the crop count that found them best.
    """
    if len(parts) == 1:
        return parts[0]

    def together(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        if any(value is None for value in values):
            return None
        if isinstance(values[0], Poses):
            return max(values, key=lambda one: float(one.instance_scores.sum()))
        return torch.cat(values, dim=1)

    return Poses(**{field.name: together(field.name) for field in fields(Poses)})
