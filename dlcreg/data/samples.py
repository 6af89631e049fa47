"""One sample through its transforms: of a data set, or of an image that nobody labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlcreg.contracts import Transform
from dlcreg.errors import DataError, DlcregError
from dlcreg.structures import Instances, Meta, Sample


def prepared(
    sample: Sample, pipeline: Transform, rng: np.random.Generator, where: str = "the image"
) -> Sample:
    """Return the sample after its transforms; its image may be written to.

    Args:
        sample: left as it is.
        pipeline: the transforms.
        rng: what they draw from.
        where: names the sample in messages.

    Raises:
        DataError: a transform failed; errors of dlcreg keep their type.
    """
    try:
        sample = pipeline(sample, rng)
    except DlcregError as error:
        raise type(error)(f"{where}: {error}") from error
    except Exception as error:
        raise DataError(f"{where}: a transform failed: {type(error).__name__}: {error}") from error
    if not sample.image.flags.writeable:  # a cached frame itself
        sample = replace(sample, image=sample.image.copy())
    return sample


def unlabelled(
    image: np.ndarray,
    meta: Meta,
    num_keypoints: int,
    box: Sequence[float] | np.ndarray | None = None,
    condition: np.ndarray | None = None,
) -> Sample:
    """Return an image that has no labels as a sample.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        meta: where it comes from.
        num_keypoints: number of keypoints K.
        box: x, y, width, height of an animal, which is then the only one of the sample, none of
            its keypoints labelled; None: no animal.
        condition: float ``(K, 3)`` x, y, score in pixels of the image.
    """
    boxes = np.empty((0, 4), np.float32) if box is None else np.array([box], np.float32)
    count = len(boxes)
    animals = Instances(
        keypoints=np.zeros((count, num_keypoints, 2), np.float32),
        visibility=np.zeros((count, num_keypoints), np.uint8),
        boxes=boxes,
        areas=np.maximum(boxes[:, 2:].prod(axis=1), 1),
        valid=np.ones(count, bool),
        ids=np.full(count, -1, np.int64),
    )
    condition = None if condition is None else np.array(condition, np.float32)
    return Sample(image, animals, np.eye(2, 3), meta, condition)
