"""What all data sets of images share: frames, samples, the order of things."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcreg.contracts import Dataset, Size
from dlcreg.data.cache import FrameCache
from dlcreg.data.images import image_size
from dlcreg.data.keypoints import grown_boxes, tight_boxes
from dlcreg.data.samples import prepared
from dlcreg.data.split import Mode
from dlcreg.data.transforms.adapt import as_pipeline
from dlcreg.data.transforms.pipeline import Pipeline
from dlcreg.errors import DataError
from dlcreg.structures import DatasetInfo, Instances, Meta, Sample

View = Literal["image", "instance"]
"""A sample is a whole image with all its animals, or one animal of an image."""


@dataclass(frozen=True)
class Record:
    """An image and its labels as they were read.

    Args:
        name: relative to the root of the data set.
        path: the file.
        image_id: number in the data set.
        keypoints: float32 ``(N, K, 2)``; rows are animals.
        visibility: uint8 ``(N, K)``.
        ids: int64 ``(N,)``.
        boxes: float32 ``(N, 4)``, or None: made of the keypoints.
        areas: float32 ``(N,)``, or None: of the keypoints' extent.
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


class FrameDataset(Dataset):
    """Images with labelled animals, through a pipeline of transforms.

    A sample depends on (seed, epoch, index) and nothing else.

    Args:
        records: the images of this part.
        info: keypoints, twins, skeleton; `num_individuals` is 1 for instance crops, which have no
            unique body parts: these belong to the image.
        transform: see `PoseDataset`.
        mode: which part of the split the records are.
        view: what a sample is.
        box_margin: pixels between the outermost keypoint and the box, where boxes are made.
        seed: of the augmentation.
        cache: bytes of memory for decoded frames; None chooses, 0 keeps none.

    Raises:
        DataError: an option that cannot be, or images that are missing.
    """

    def __init__(
        self,
        records: Sequence[Record],
        info: DatasetInfo,
        transform: Any = None,
        mode: Mode = "train",
        view: View = "image",
        box_margin: float = 10.0,
        seed: int = 42,
        cache: int | None = None,
    ) -> None:
        if view not in ("image", "instance"):
            raise DataError(f"view must be 'image' or 'instance', not {view!r}")
        if cache is not None and cache < 0:
            raise DataError(f"cache is a number of bytes, not {cache}")
        if not 0 <= box_margin < math.inf:
            raise DataError(f"box_margin is a number of pixels from 0 on, not {box_margin:g}")
        _check_files(records)
        self.records = list(records)
        if view == "instance":
            info = replace(info, num_individuals=1, unique=None)
        self.info = info
        self.mode, self.view = mode, view
        self.box_margin, self.seed, self.epoch = float(box_margin), seed, 0
        self.pipeline: Pipeline = as_pipeline(transform, self.info)
        self.frames = FrameCache([record.path for record in self.records], cache)
        self._by_id = {record.image_id: i for i, record in enumerate(self.records)}
        self._finished: dict[int, tuple[Instances, tuple[int, int]]] = {}
        self._items: list[tuple[int, int | None]] = [(i, None) for i in range(len(self.records))]
        if view == "instance":
            self._items = [
                (i, who)
                for i, record in enumerate(self.records)
                for who in np.flatnonzero((record.visibility > 0).any(axis=1)).tolist()
            ]

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the images, relative to the root of the data set."""
        return tuple(record.name for record in self.records)

    def image_files(self) -> list[Path]:
        """Return the files of the images."""
        return [record.path for record in self.records]

    def __len__(self) -> int:
        return len(self._items)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose augmentation is drawn; without it every epoch is the first."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> Sample:
        """Return sample `index` of the present epoch; its arrays may be written to.

        Raises:
            DataError: the image cannot be read, is of another size than its annotation file says,
                or a transform failed on it.
        """
        row, who = self._items[index]
        index %= len(self._items)
        record = self.records[row]
        frame = self.frames[row]
        instances, _ = self._labels(row, frame.shape[:2])
        # a copy: a transform may edit in place
        neighbours = None if who is None else _others(instances, who)
        instances = _rows(instances, np.arange(len(instances)) if who is None else [who])
        meta = Meta(record.image_id, record.name, frame.shape[:2], who, index)
        sample = Sample(frame, instances, np.eye(2, 3), meta, neighbours=neighbours)
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, self.epoch, index]))
        sample = prepared(sample, self.pipeline, rng, str(record.path))
        return _clipped(sample, drop_empty=self.view == "image")

    def annotations(self, image_id: int) -> Instances:
        """Return all animals of an image, numpy ``(N, ...)`` in pixels of the original image.

        Raises:
            DataError: the image is not in this part of the data set, or of another size than its
                annotation file says.
        """
        if image_id not in self._by_id:
            raise DataError(f"the {self.mode} part has no image with id {image_id}")
        labels = self._labels(self._by_id[image_id])[0]
        return _rows(labels, np.arange(len(labels)))

    def image(self, image_id: int) -> np.ndarray:
        """Return the original image, uint8 ``(H, W, 3)`` RGB, not to be written to.

        Raises:
            DataError: it is not in this part of the data set, or cannot be read.
        """
        if image_id not in self._by_id:
            raise DataError(f"the {self.mode} part has no image with id {image_id}")
        return self.frames[self._by_id[image_id]]

    def _labels(self, row: int, size: tuple[int, int] | None = None) -> tuple[Instances, tuple]:
        """Return labels with boxes, labels outside the frame left out."""
        if row not in self._finished:
            record = self.records[row]
            size = size or image_size(record.path)
            _check_size(record, size)
            labels = _finish(record, size, self.box_margin)
            if self.info.unique is not None:
                labels.unique = _finish(_of_unique(record), size, self.box_margin)
            self._finished[row] = labels, size
        return self._finished[row]


def _check_size(record: Record, size: tuple[int, int]) -> None:
    if record.size not in (None, size):
        raise DataError(
            f"{record.path} is {size[1]} x {size[0]} pixels, but was labelled at "
            f"{record.size[1]} x {record.size[0]} by its annotation file: "
            "restore the image, or correct its width and height there"
        )


def _finish(record: Record, size: tuple[int, int], margin: float) -> Instances:
    visible = inside(record.keypoints, size) & (record.visibility > 0)
    keypoints = np.where(visible[..., None], record.keypoints, 0).astype(np.float32)
    tight = tight_boxes(keypoints, visible)
    boxes, areas = record.boxes, record.areas
    if boxes is None:
        boxes = grown_boxes(tight, margin, size)
    if areas is None:  # one keypoint alone has an area too
        areas = np.prod(np.maximum(tight[:, 2:], 1), axis=1)
    return Instances(
        keypoints=keypoints,
        visibility=np.where(visible, record.visibility, 0).astype(np.uint8),
        boxes=boxes.astype(np.float32),
        areas=areas.astype(np.float32),
        valid=np.ones(len(keypoints), bool),
        ids=record.ids,
    )


def _of_unique(record: Record) -> Record:
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
    )


def inside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return bool ``(...)``: which points ``(..., 2)`` lie on a pixel of an image of `size`."""
    height, width = size
    within = (points >= -0.5) & (points < [width - 0.5, height - 0.5])
    return np.asarray(within.all(axis=-1))


def _clipped(sample: Sample, drop_empty: bool) -> Sample:
    """What the transforms moved out of the picture has no label, for it cannot be seen."""
    labels = _seen(sample.instances, sample.image.shape[:2])
    if drop_empty:
        labels = _rows(labels, np.flatnonzero((labels.visibility > 0).any(axis=1)))
    return replace(sample, instances=labels)


def _seen(labels: Instances, size: Size) -> Instances:
    seen = inside(labels.keypoints, size) & (labels.visibility > 0)
    return replace(
        labels,
        keypoints=np.where(seen[..., None], labels.keypoints, 0).astype(np.float32),
        visibility=np.where(seen, labels.visibility, 0).astype(np.uint8),
        unique=None if labels.unique is None else _seen(labels.unique, size),
    )


def _rows(instances: Instances, rows: Any) -> Instances:
    """Return copies of some animals, and of the unique body parts."""
    unique = instances.unique
    return Instances(
        keypoints=instances.keypoints[rows],
        visibility=instances.visibility[rows],
        boxes=instances.boxes[rows],
        areas=instances.areas[rows],
        valid=instances.valid[rows],
        ids=instances.ids[rows],
        unique=None if unique is None else _rows(unique, np.arange(len(unique))),
    )


def _others(instances: Instances, who: int) -> Instances:
    """Return copies of the labelled animals but for one; unique body parts are no animal."""
    labelled = (instances.visibility > 0).any(axis=1)
    labelled[who] = False
    return replace(_rows(instances, np.flatnonzero(labelled)), unique=None)


def _check_files(records: Sequence[Record]) -> None:
    missing = [record.path for record in records if not record.path.is_file()]
    if missing:
        shown = ", ".join(map(str, missing[:3])) + (", ..." if len(missing) > 3 else "")
        raise DataError(
            f"{len(missing)} of {len(records)} labelled images are missing: {shown}. "
            "Restore them, or leave them out with missing_images='skip'"
        )
