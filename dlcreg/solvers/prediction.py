"""From a batch to poses in pixels of its images: one step, of evaluation and of prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import nn

from dlcreg.errors import DataError
from dlcreg.solvers.devices import Precision, autocast
from dlcreg.structures import Batch, Poses


def predict_batch(
    model: nn.Module,
    batch: Batch,
    *,
    device: torch.device,
    precision: Precision = "fp32",
    flip_test: bool = False,
    scales: Sequence[float] = (1,),
) -> Poses:
    """Return the poses of a batch, on the CPU, in pixels of the original images.

    Args:
        model: called as ``model(images, mode='predict')``; in evaluation mode.
        batch: the images, on any device.
        device: where the model is.
        precision: of the forward pass.
        flip_test: average the outputs with those of the mirrored images.
        scales: see the images at these scales, one of them 1.

    Raises:
        DataError: the model gives something else than poses.
    """
    moved = batch.to(device, non_blocking=True)
    options: dict[str, Any] = {"flip_test": True} if flip_test else {}
    if tuple(scales) != (1,):
        options["scales"] = scales
    if moved.condition is not None:
        options["condition"] = moved.condition
    # no_grad and not inference_mode: buffers that a model makes at its first call stay usable in
    # training
    with torch.no_grad(), autocast(device, precision):
        poses = model(moved.images, mode="predict", **options)
    if isinstance(poses, Mapping):
        poses = next(iter(poses.values()))
    if not isinstance(poses, Poses):
        raise DataError(
            f"{type(model).__name__}(mode='predict') gave a {type(poses).__name__}; "
            "dlcreg.Poses are wanted."
        )
    return poses.to("cpu").to_image(batch.matrix)


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
