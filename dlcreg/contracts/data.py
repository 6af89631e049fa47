"""The contracts of data sets and of what happens to their samples."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils import data as torch_data

from dlcreg.errors import DataError
from dlcreg.structures import DatasetInfo, Instances, Meta, Sample


class Transform(ABC):
    """A step of the data pipeline on one `Sample`; numpy, no randomness but `rng`.

    A transform that moves the image must move keypoints, boxes and `Sample.matrix` with it:
    derive from `dlcreg.data.transforms.GeometricTransform`, which does so.
    """

    @abstractmethod
    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the transformed sample; the input is not changed."""


class Dataset(torch_data.Dataset[Sample], ABC):
    """A torch data set of samples that knows its keypoints.

    Sets `info` and `pipeline` in ``__init__``. `set_epoch` is called before the samples of an
    epoch are drawn: the augmentation of a sample depends on (seed, epoch, index) alone.
    """

    info: DatasetInfo
    pipeline: Transform

    proposed: Any = None
    """What another model found, where samples are crops cut by that; None: by labels, or none."""

    category_ids: Sequence[int] = ()
    """Numbers of the animals' categories, first that which predictions are written with."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose augmentation is drawn."""

    def image_files(self) -> Sequence[Path]:
        """Return the files of the images, by which parts of the data are told apart; or none."""
        return ()

    def with_pipeline_of(self, other: Dataset) -> Dataset:
        """Return the same samples through the transforms of `other`, to evaluate on them."""
        view = copy.copy(self)
        view.pipeline = other.pipeline
        return view

    def image_metas(self) -> Sequence[Meta]:
        """Return where the images are from, in the order of `image_files`; or nothing.

        Evaluation counts what is labelled in them as missed where there is no sample of an image,
        for want of a proposal.
        """
        return ()

    def with_proposals(self, proposals: Any, matched: bool = False) -> Dataset:
        """Return a view whose samples are crops cut by what another model found.

        Args:
            proposals: `dlcreg.data.Proposals`, or the file of some.
            matched: each labelled animal with the proposal that is most like it, to learn from;
                otherwise each proposal is a sample.

        Raises:
            DataError: the samples are no crops.
        """
        raise DataError(f"{type(self).__name__} takes no proposals: its samples are no crops")

    @abstractmethod
    def annotations(self, image_id: int) -> Instances:
        """Return all animals of an image: numpy ``(N, ...)`` in pixels of the original image."""

    @abstractmethod
    def image(self, image_id: int) -> np.ndarray:
        """Return the original image: uint8 ``(H, W, 3)`` RGB."""
