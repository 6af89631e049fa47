"""Samples to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcreg.errors import DataError
from dlcreg.structures import Batch, Instances, Sample

_PADDED = ("keypoints", "visibility", "boxes", "areas", "ids")


def collate(samples: Sequence[Sample]) -> Batch:
    """Return a batch; smaller images are padded with zeros at the right and the bottom.

    The N axis is as long as the most animals in one sample, at least 1; `Instances.valid` tells
    animals from padding. Padding has visibility 0, coordinates 0 and id -1.

    Args:
        samples: at least one.

    Raises:
        DataError: images of different dtypes, or conditions or unique body parts on some samples
            only.
    """
    dtypes = {sample.image.dtype for sample in samples}
    if len(dtypes) > 1:
        raise DataError(f"a batch cannot mix images of {' and '.join(sorted(map(str, dtypes)))}")
    height = max(sample.image.shape[0] for sample in samples)
    width = max(sample.image.shape[1] for sample in samples)
    images = np.zeros((len(samples), 3, height, width), dtypes.pop())
    for slot, sample in zip(images, samples, strict=True):
        h, w = sample.image.shape[:2]
        slot[:, :h, :w] = sample.image.transpose(2, 0, 1)
    return Batch(
        images=torch.from_numpy(images),
        instances=_instances([sample.instances for sample in samples]),
        matrix=torch.from_numpy(np.stack([s.matrix for s in samples]).astype(np.float32)),
        meta=[sample.meta for sample in samples],
        condition=_condition(samples),
    )


def _instances(items: Sequence[Instances]) -> Instances:
    count = max(1, *(len(item) for item in items))
    valid = torch.zeros(len(items), count, dtype=torch.bool)
    stacked: dict[str, Any] = {}
    for name in _PADDED:
        arrays = [getattr(item, name) for item in items]
        fill = -1 if name == "ids" else 0
        padded = np.full((len(items), count, *arrays[0].shape[1:]), fill, arrays[0].dtype)
        for row, array in enumerate(arrays):
            padded[row, : len(array)] = array
        stacked[name] = torch.from_numpy(padded)
    for row, item in enumerate(items):
        valid[row, : len(item)] = torch.from_numpy(np.ascontiguousarray(item.valid))
    unique = [item.unique for item in items if item.unique is not None]
    if unique and len(unique) < len(items):
        raise DataError("some samples of the batch have unique body parts and some have none")
    return Instances(valid=valid, **stacked, unique=_instances(unique) if unique else None)


def _condition(samples: Sequence[Sample]) -> Tensor | None:
    conditions = [sample.condition for sample in samples if sample.condition is not None]
    if not conditions:
        return None
    if len(conditions) < len(samples):
        raise DataError("some samples of the batch have a condition and some have none")
    return torch.from_numpy(np.stack(conditions).astype(np.float32))
