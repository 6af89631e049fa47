"""The data of a run: its three data sets and how they are batched."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from itertools import combinations

from dlcreg.contracts import Dataset
from dlcreg.data.loader import EpochLoader
from dlcreg.data.split import SplitLike
from dlcreg.errors import DataError
from dlcreg.structures import DatasetInfo

logger = logging.getLogger("dlcreg")


class DataModule:
    """Training, validation and test data; the ``data`` section of a config.

    Args:
        train: what the weights are fitted to.
        val: what chooses among checkpoints; None, or an empty part of the split: nothing does.
        test: what is evaluated at the end.
        split: given on to data sets without one of their own: the file of a split, a `Split`,
            or a dict with train_fraction, val_fraction, seed and by.
        batch_size: samples in a training batch.
        num_workers: processes that prepare batches; 0 prepares them in the training process.
        eval_batch_size: samples in a batch of evaluation; `batch_size` by default.
        allow_overlap: parts may share images, such as to see how well these are learnt by heart.
            Otherwise parts that share some are refused, and two of the very same images told.

    Raises:
        DataError: the training part is empty, or the parts have different keypoints or share
            images.
    """

    def __init__(
        self,
        train: Dataset,
        val: Dataset | None = None,
        test: Dataset | None = None,
        split: SplitLike = None,
        batch_size: int = 8,
        num_workers: int = 0,
        eval_batch_size: int | None = None,
        allow_overlap: bool = False,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if value is not None and value < 1:
                raise DataError(f"{name} must be at least 1, not {value}")
        if num_workers < 0:
            raise DataError(f"num_workers must not be negative: {num_workers}")
        if not len(train):
            raise DataError("the training data set has no samples")
        self.train = train
        self.val = val if val is not None and len(val) else None
        self.test = test if test is not None and len(test) else None
        self.split = split
        self.batch_size, self.num_workers = batch_size, num_workers
        self.eval_batch_size = eval_batch_size or batch_size
        for name, other in (("val", self.val), ("test", self.test)):
            if other is not None and other.info.keypoint_names != train.info.keypoint_names:
                raise DataError(
                    f"{name} has the keypoints {', '.join(other.info.keypoint_names)}, but train "
                    f"has {', '.join(train.info.keypoint_names)}: give both the same "
                    "keypoint_names"
                )
            if other is not None and _unique_names(other) != _unique_names(train):
                raise DataError(
                    f"{name} has the unique body parts {', '.join(_unique_names(other)) or 'none'},"
                    f" but train has {', '.join(_unique_names(train)) or 'none'}"
                )
        if not allow_overlap:
            _check_overlaps({"train": self.train, "val": self.val, "test": self.test})
        unused = getattr(getattr(train, "split", None), "val", ())
        if val is None and unused:
            logger.warning(
                "%d images of the split are for validation, and nothing uses them: add data.val, "
                "or set val_fraction=0 (of a split file: move them to another part)",
                len(unused),
            )

    @property
    def info(self) -> DatasetInfo:
        """Keypoints, twins, skeleton and number of animals of the training data."""
        return self.train.info

    def train_loader(self, seed: int, pin_memory: bool = False) -> EpochLoader:
        """Return shuffled training batches.

        Args:
            seed: of the order.
            pin_memory: page-locked memory, for a GPU.
        """
        return EpochLoader(
            self.train,
            self.batch_size,
            self.num_workers,
            seed=seed,
            shuffle=True,
            pin_memory=pin_memory,
        )

    def loader(
        self, dataset: Dataset, batch_size: int | None = None, pin_memory: bool = False
    ) -> EpochLoader:
        """Return the batches of a data set in its own order, for evaluation.

        Args:
            dataset: one of the parts, or a view of it.
            batch_size: samples in a batch; None for `eval_batch_size`.
            pin_memory: page-locked memory, for a GPU.
        """
        size = batch_size or self.eval_batch_size
        return EpochLoader(dataset, size, self.num_workers, pin_memory=pin_memory)


def _unique_names(dataset: Dataset) -> tuple[str, ...]:
    return dataset.info.unique.keypoint_names if dataset.info.unique else ()


def _check_overlaps(parts: Mapping[str, Dataset | None]) -> None:
    """Refuse parts that share images: numbers on those say nothing of other images.

    Whoever gives two parts the very same images knows it; that is told and no more.
    """
    files = {name: _files(part) for name, part in parts.items() if part is not None}
    for first, second in combinations(files, 2):
        shared = files[first] & files[second]
        if shared and files[first] == files[second]:
            logger.warning(
                "%s and %s are the same %d images: the numbers of %s say how well these are "
                "known, not how well the model does on others. If it is meant so, set "
                "data.allow_overlap=True",
                *(first, second, len(shared), second),
            )
        elif shared:
            raise DataError(
                f"{len(shared)} of the {len(files[second])} images of {second} are images of "
                f"{first}, too, such as {min(shared)}: numbers on them say nothing of other "
                "images. Give all parts one split (data.split, and no split or seed of their "
                "own), or other files; if it is meant so, set data.allow_overlap=True"
            )


def _files(dataset: Dataset) -> set[str]:
    """Return the files of a data set's images, by whatever links they were reached."""
    paths = dataset.image_files()
    folders = {path.parent: os.path.realpath(path.parent) for path in paths}
    return {os.path.join(folders[path.parent], path.name) for path in paths}
