"""What all data sets of images share: frames, samples, the order of things."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcreg.contracts import Dataset
from dlcreg.data.cache import FrameCache
from dlcreg.data.crops import Crop
from dlcreg.data.images import image_size
from dlcreg.data.proposed import ProposalsLike, Proposed, Unmatched
from dlcreg.data.records import (
    Record,
    check_files,
    check_size,
    finished,
    of_unique,
    others_of,
    rows_of,
    seen_animals,
    seen_labels,
)
from dlcreg.data.samples import prepared
from dlcreg.data.split import Mode
from dlcreg.data.transforms.adapt import as_pipeline
from dlcreg.data.transforms.pipeline import Pipeline
from dlcreg.errors import DataError
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses, Sample

logger = logging.getLogger("dlcreg")

View = Literal["image", "instance"]
"""A sample is a whole image with all its animals, or one animal of an image."""


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
        proposals: see `with_proposals`; for ``view='instance'``.
        unmatched: likewise; for ``mode='train'``.
        category_ids: of the animals, in files of proposals that know several categories.

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
        proposals: ProposalsLike | Sequence[ProposalsLike] | None = None,
        unmatched: Unmatched = "drop",
        category_ids: Collection[int] = (),
    ) -> None:
        if view not in ("image", "instance"):
            raise DataError(f"view must be 'image' or 'instance', not {view!r}")
        if cache is not None and cache < 0:
            raise DataError(f"cache is a number of bytes, not {cache}")
        if not 0 <= box_margin < math.inf:
            raise DataError(f"box_margin is a number of pixels from 0 on, not {box_margin:g}")
        check_files(records)
        self.records = list(records)
        if view == "instance":
            if not info.num_keypoints:
                raise DataError(
                    "view='instance' cuts out animals to find their keypoints, of which there are "
                    "none: the annotations are boxes alone. Set view='image'"
                )
            info = replace(info, num_individuals=1, unique=None)
        self.info = info
        self.mode, self.view = mode, view
        self.box_margin, self.seed, self.epoch = float(box_margin), seed, 0
        self.pipeline: Pipeline = as_pipeline(transform, self.info)
        self.frames = FrameCache([record.path for record in self.records], cache)
        self._by_id = {record.image_id: i for i, record in enumerate(self.records)}
        self._finished: dict[int, tuple[Instances, tuple[int, int]]] = {}
        self.category_ids = tuple(category_ids)
        self.proposed: Proposed | None = None
        self._items = [Crop(i) for i in range(len(self.records))]
        if view == "instance":
            self._items = [
                Crop(i, who)
                for i, record in enumerate(self.records)
                for who in np.flatnonzero((record.visibility > 0).any(axis=1)).tolist()
            ]
        if proposals is not None:
            self._propose(proposals, mode == "train", unmatched)

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the images, relative to the root of the data set."""
        return tuple(record.name for record in self.records)

    def image_files(self) -> list[Path]:
        """Return the files of the images."""
        return [record.path for record in self.records]

    def image_metas(self) -> list[Meta]:
        """Return where the images are from."""
        return [
            Meta(one.image_id, one.name, one.size or image_size(one.path), index=i)
            for i, one in enumerate(self.records)
        ]

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
        crop = self._items[index]
        index %= len(self._items)
        record = self.records[crop.row]
        frame = self.frames[crop.row]
        labels, _ = self._labels(crop.row, frame.shape[:2])
        # a copy: a transform may edit in place
        who = crop.animal
        neighbours = None if who is None else others_of(labels, who)
        instances = rows_of(labels, np.arange(len(labels)) if who is None else [who])
        meta = Meta(record.image_id, record.name, frame.shape[:2], who, index)
        sample = Sample(frame, instances, np.eye(2, 3), meta, neighbours=neighbours)
        seeds = [self.seed, self.epoch, index]
        if crop.proposal is not None and self.proposed is not None:
            choice = np.random.default_rng(np.random.SeedSequence([*seeds, 1]))
            sample = self.proposed.apply(sample, crop, choice)
        rng = np.random.default_rng(np.random.SeedSequence(seeds))
        sample = prepared(sample, self.pipeline, rng, str(record.path))
        return _clipped(sample, drop_empty=self.view == "image")

    def with_proposals(
        self,
        proposals: ProposalsLike | Sequence[ProposalsLike],
        matched: bool = False,
        unmatched: Unmatched = "drop",
    ) -> FrameDataset:
        """Return a view whose crops are cut by what another model found, not by labelled boxes.

        A proposal with as many keypoints as the data gives `Sample.condition`, too.

        Args:
            proposals: what was found, or a file of it (see `Proposals.read`); to learn from, a
                list of these, one for each model: in each epoch one of those is drawn for an
                animal that found it.
            matched: each labelled animal comes with the proposal that is most like it: to learn
                from. Otherwise each proposal is a sample, without labels of its own.
            unmatched: with `matched`: ``drop`` animals that no proposal is like, or ``keep`` them
                with their labelled box and without a condition, for `GenerativeCondition` to make
                one.

        Raises:
            DataError: the samples are whole images, the file cannot be read, or nothing in it is
                of these images.
        """
        view = copy.copy(self)
        view._propose(proposals, matched, unmatched)
        return view

    def proposed_poses(self) -> list[tuple[Meta, Poses]] | None:
        """Return the poses that the samples are cut by, see `HasProposedPoses`."""
        return None if self.proposed is None else self.proposed.poses()

    def with_pipeline_of(self, other: Dataset) -> Dataset:
        """Return the same images through the transforms of `other`, to evaluate on them.

        Of proposals that were matched with labels, to learn from them, all of the first model are
        taken.
        """
        view = super().with_pipeline_of(other)
        if self.proposed is not None:
            view._propose(self.proposed.models[0])  # type: ignore[attr-defined]
        return view

    def annotations(self, image_id: int) -> Instances:
        """Return all animals of an image, numpy ``(N, ...)`` in pixels of the original image.

        Raises:
            DataError: the image is not in this part of the data set, or of another size than its
                annotation file says.
        """
        if image_id not in self._by_id:
            raise DataError(f"the {self.mode} part has no image with id {image_id}")
        labels = self._labels(self._by_id[image_id])[0]
        return rows_of(labels, np.arange(len(labels)))

    def image(self, image_id: int) -> np.ndarray:
        """Return the original image, uint8 ``(H, W, 3)`` RGB, not to be written to.

        Raises:
            DataError: it is not in this part of the data set, or cannot be read.
        """
        if image_id not in self._by_id:
            raise DataError(f"the {self.mode} part has no image with id {image_id}")
        return self.frames[self._by_id[image_id]]

    def _propose(
        self,
        proposals: ProposalsLike | Sequence[ProposalsLike],
        matched: bool = False,
        unmatched: Unmatched = "drop",
    ) -> None:
        if self.view != "instance":
            raise DataError("proposals are what crops are cut by: set view='instance'")
        self.proposed = Proposed(
            *(proposals, self.records, self.info.num_keypoints, self.box_margin, self.category_ids)
        )
        if matched:
            self._items = self.proposed.training_crops(
                self._items, lambda row: self._labels(row)[0], unmatched
            )
        else:
            self._items = self.proposed.crops()

    def _labels(self, row: int, size: tuple[int, int] | None = None) -> tuple[Instances, tuple]:
        """Return labels with boxes, labels outside the frame left out."""
        if row not in self._finished:
            record = self.records[row]
            size = size or image_size(record.path)
            check_size(record, size)
            labels = finished(record, size, self.box_margin)
            if self.info.unique is not None:
                labels.unique = finished(of_unique(record), size, self.box_margin)
            self._finished[row] = labels, size
        return self._finished[row]


def _clipped(sample: Sample, drop_empty: bool) -> Sample:
    """What the transforms moved out of the picture has no label, for it cannot be seen."""
    size = sample.image.shape[:2]
    labels = seen_labels(sample.instances, size)
    if drop_empty:
        labels = rows_of(labels, seen_animals(labels, size))
    return replace(sample, instances=labels)
