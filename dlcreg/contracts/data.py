"""The contracts of data sets and of what happens to their samples."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch.utils import data as torch_data

from dlcreg.structures import DatasetInfo, Instances, Sample


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

    @abstractmethod
    def annotations(self, image_id: int) -> Instances:
        """Return all animals of an image: numpy ``(N, ...)`` in pixels of the original image."""

    @abstractmethod
    def image(self, image_id: int) -> np.ndarray:
        """Return the original image: uint8 ``(H, W, 3)`` RGB."""
