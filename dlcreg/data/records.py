"""Labelled images as they were read, and the labels of an image made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.contracts import Size
from dlcreg.data.keypoints import grown_boxes, tight_boxes
from dlcreg.errors import DataError
from dlcreg.structures import Instances

_LEAST = 0.1  # of a box, by area; of less nobody could tell that it is an animal


@dataclass(frozen=True)
class Record:
    """An image and its labels as they were read.

    Args:
        name: relative to the root of the data set.
        path: the file.
        image_id: number in the data set.
        keypoints: float32 ``(N, K, 2)``; rows are animals, with K = 0 for boxes alone.
        visibility: uint8 ``(N, K)``.
        ids: int64 ``(N,)``.
        boxes: float32 ``(N, 4)``, NaN for an animal whose box is to be made of its keypoints; None:
            all are.
        areas: float32 ``(N,)``, NaN for that of the keypoints' extent; None: all are.
        crowds: float32 ``(C, 4)``, boxes of animals that nobody told apart; None: none.
        size: height and width that the image was labelled at; None: not known.
        unique_keypoints: float32 ``(U, 2)``, the unique body parts; None where the data has none.
        unique_visibility: uint8 ``(U,)``, likewise.
    """

    name: str
    path: Path
    image_id: int
    keypoints: np.ndarray
    visibility: np.ndarray
    ids: np.ndarray
    boxes: np.ndarray | None = None
    areas: np.ndarray | None = None
    size: tuple[int, int] | None = None
    unique_keypoints: np.ndarray | None = None
    unique_visibility: np.ndarray | None = None
    crowds: np.ndarray | None = None


def check_size(record: Record, size: tuple[int, int]) -> None:
    """Refuse an image of another size than it was labelled at."""
    if record.size not in (None, size):
        raise DataError(
            f"{record.path} is {size[1]} x {size[0]} pixels, but was labelled at "
            f"{record.size[1]} x {record.size[0]} by its annotation file: "
            "restore the image, or correct its width and height there"
        )


def finished(record: Record, size: tuple[int, int], margin: float) -> Instances:
    """Return the labels of an image, with boxes and areas, but for those outside the image."""
    visible = inside(record.keypoints, size) & (record.visibility > 0)
    keypoints = np.where(visible[..., None], record.keypoints, 0).astype(np.float32)
    tight = tight_boxes(keypoints, visible)
    boxes = grown_boxes(tight, margin, size)
    if record.boxes is not None:
        boxes = np.where(np.isfinite(record.boxes), _within(record, size), boxes)
    areas = np.prod(np.maximum(tight[:, 2:], 1), axis=1)  # one keypoint alone has an area too
    if record.areas is not None:
        areas = np.where(np.isfinite(record.areas), record.areas, areas)
    return Instances(
        keypoints=keypoints,
        visibility=np.where(visible, record.visibility, 0).astype(np.uint8),
        boxes=boxes.astype(np.float32),
        areas=areas.astype(np.float32),
        valid=np.ones(len(keypoints), bool),
        ids=record.ids,
        crowds=record.crowds,
    )


def _within(record: Record, size: Size) -> np.ndarray:
    """Return the boxes of a record cut at the border of the image."""
    assert record.boxes is not None
    boxes = grown_boxes(record.boxes, 0.0, size)
    outside = np.isfinite(record.boxes).all(axis=1) & (boxes[:, 2:] <= 0).any(axis=1)
    if outside.any():
        box = ", ".join(f"{value:g}" for value in record.boxes[outside][0])
        raise DataError(
            f"{record.path}: the box ({box}) lies outside the image of {size[1]} x {size[0]} "
            "pixels; correct it, or leave it out to have one made of the keypoints"
        )
    return boxes


def of_unique(record: Record) -> Record:
    """Return the unique body parts of an image as the one animal of a record."""
    assert record.unique_keypoints is not None
    assert record.unique_visibility is not None
    return replace(
        record,
        keypoints=record.unique_keypoints[None],
        visibility=record.unique_visibility[None],
        ids=np.array([-1], np.int64),
        boxes=None,
        areas=None,
        crowds=None,
    )


def inside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return bool ``(...)``: which points ``(..., 2)`` lie on a pixel of an image of `size`."""
    height, width = size
    within = (points >= -0.5) & (points < [width - 0.5, height - 0.5])
    return np.asarray(within.all(axis=-1))


def seen_labels(labels: Instances, size: Size) -> Instances:
    """Return the labels without those outside an image of `size`."""
    seen = inside(labels.keypoints, size) & (labels.visibility > 0)
    return replace(
        labels,
        keypoints=np.where(seen[..., None], labels.keypoints, 0).astype(np.float32),
        visibility=np.where(seen, labels.visibility, 0).astype(np.uint8),
        unique=None if labels.unique is None else seen_labels(labels.unique, size),
    )


def seen_animals(labels: Instances, size: Size) -> np.ndarray:
    """Return the rows of animals with a label in an image of `size`.

    Where there are no keypoints, it is a box of which enough lies in the image.
    """
    if labels.keypoints.shape[-2]:
        return np.flatnonzero((labels.visibility > 0).any(axis=1))
    left = grown_boxes(labels.boxes, 0.0, size)[:, 2:].prod(axis=1)
    return np.flatnonzero(left > _LEAST * labels.boxes[:, 2:].prod(axis=1))


def rows_of(instances: Instances, rows: Any) -> Instances:
    """Return copies of some animals, and of the unique body parts."""
    unique = instances.unique
    return Instances(
        keypoints=instances.keypoints[rows],
        visibility=instances.visibility[rows],
        boxes=instances.boxes[rows],
        areas=instances.areas[rows],
        valid=instances.valid[rows],
        ids=instances.ids[rows],
        unique=None if unique is None else rows_of(unique, np.arange(len(unique))),
        crowds=instances.crowds,
    )


def others_of(instances: Instances, who: int) -> Instances:
    """Return copies of the labelled animals but for one; unique body parts are no animal."""
    labelled = (instances.visibility > 0).any(axis=1)
    labelled[who] = False
    return replace(rows_of(instances, np.flatnonzero(labelled)), unique=None)


def check_files(records: Sequence[Record]) -> None:
    """Refuse records whose images do not exist."""
    missing = [record.path for record in records if not record.path.is_file()]
    if missing:
        shown = ", ".join(map(str, missing[:3])) + (", ..." if len(missing) > 3 else "")
        raise DataError(
            f"{len(missing)} of {len(records)} labelled images are missing: {shown}. "
            "Restore them, or leave them out with missing_images='skip'"
        )
