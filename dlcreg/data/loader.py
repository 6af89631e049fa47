"""Batches of an epoch, from any batch on, the same whatever the number of workers."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from dlcreg.contracts import Dataset
from dlcreg.data.batching import collate
from dlcreg.data.transforms.adapt import as_pipeline
from dlcreg.errors import DataError, DlcregError
from dlcreg.structures import Batch

_ORDER = 1  # sets the stream of the order apart from those of the samples


class EpochLoader:
    """Batches by epoch number and batch number.

    Order and augmentation follow from (seed, epoch) alone: a run that is resumed at batch k of
    an epoch sees what the unbroken run saw. Nothing is drawn from a global generator.

    Args:
        dataset: samples.
        batch_size: samples in a batch; the last one of an epoch may be smaller.
        num_workers: processes that prepare batches ahead; 0 prepares them here.
        seed: of the order.
        shuffle: draw a new order each epoch; else the data set's own.
        drop_last: leave out the last batch where it is smaller.
        pin_memory: page-locked memory, for a copy to a GPU that overlaps; none without CUDA.

    Raises:
        DataError: the data set is empty, or a number is out of range.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        num_workers: int = 0,
        *,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        pin_memory: bool = False,
    ) -> None:
        if batch_size < 1 or num_workers < 0 or seed < 0:
            raise DataError(
                f"batch_size={batch_size}, num_workers={num_workers}, seed={seed}: "
                "at least 1, 0 and 0 are needed"
            )
        if not len(dataset):
            mode = getattr(dataset, "mode", "")
            raise DataError(
                f"the {mode + ' ' if mode else ''}data set has no samples"
                + ("; give the split a val_fraction" if mode == "val" else "")
            )
        self.dataset = dataset
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.shuffle, self.drop_last, self.pin_memory = (
            shuffle,
            drop_last,
            pin_memory and torch.cuda.is_available(),
        )
        self._plan = _Plan()
        self._loader: DataLoader | None = None
        self._views = {0: dataset}  # by the first epoch that they count for

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not (self.drop_last and full))

    def switch_pipeline(self, epoch: int, transform: Any) -> None:
        """Let the samples of an epoch, and of all later ones, go through other transforms.

        Args:
            epoch: the first one with them, counted from 0.
            transform: see `PoseDataset`.

        Raises:
            DataError: it is no transform.
            ConfigError: it is a config that cannot be built.
        """
        other = copy.copy(self.dataset)
        other.pipeline = as_pipeline(transform, self.dataset.info)
        self._views[epoch] = self.dataset.with_pipeline_of(other)
        self._loader = None  # its workers know nothing of it

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from batch `start` on.

        Raises:
            DataError: a sample cannot be made, or a worker died.
        """
        batches = self._batches(epoch)[start:]
        if self.num_workers == 0:
            source = _Keyed(self._views)
            for keys in batches:
                yield _delivered(_gather(source.__getitems__(keys)), self.pin_memory)
            return
        self._plan.batches = batches
        try:
            for result in self._started():
                yield _delivered(result, self.pin_memory)
        except RuntimeError as error:
            if "DataLoader worker (pid" not in str(error):  # an error in a worker, not its end
                raise
            self._loader = None  # its remaining workers are of no use
            raise DataError(
                f"a process that prepares the data died: {error}. Often the memory was full: "
                "fewer num_workers need less"
            ) from error

    def _batches(self, epoch: int) -> list[list[tuple[int, int]]]:
        order = np.arange(len(self.dataset))
        if self.shuffle:
            stream = np.random.SeedSequence([self.seed, epoch, 0, _ORDER])
            order = np.random.default_rng(stream).permutation(order)
        keys = [(epoch, int(index)) for index in order]
        size = self.batch_size
        return [keys[i * size : (i + 1) * size] for i in range(len(self))]

    def _started(self) -> Iterator[Batch | _Failure]:
        with warnings.catch_warnings():
            # of more workers than cores, which is the user's choice, and of fork beside threads,
            # of which the workers use none
            warnings.simplefilter("ignore")
            return iter(self._workers())

    def _workers(self) -> DataLoader:
        if self._loader is None:
            self._loader = DataLoader(
                _Keyed(self._views),  # type: ignore[arg-type]
                batch_sampler=self._plan,
                num_workers=self.num_workers,
                collate_fn=_gather,
                worker_init_fn=_quiet_worker,
                persistent_workers=True,  # they keep what they decoded, and start once
                generator=torch.Generator().manual_seed(self.seed),
            )
        return self._loader


class _Plan:
    """The batches that the workers are to make next: the DataLoader's batch sampler."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, int]]] = []

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Keyed:
    """Samples by (epoch, index): a worker that lives long learns the epoch with each batch.

    Args:
        views: the data set, by the first epoch that its transforms count for; 0 is among them.
    """

    def __init__(self, views: Mapping[int, Dataset]) -> None:
        self.views = dict(views)

    def __len__(self) -> int:
        return len(self.views[0])

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> list[Any]:
        """Return the samples, or the error that one of them met."""
        samples = []
        for epoch, index in keys:
            dataset = self.views[max(first for first in self.views if first <= epoch)]
            dataset.set_epoch(epoch)
            try:
                samples.append(dataset[index])
            except DlcregError as error:
                return [_Failure(error)]
        return samples


class _Failure:
    """An error on its way out of a worker, where an exception would lose its type and text."""

    def __init__(self, error: DlcregError) -> None:
        self.error = error

    def __reduce__(self) -> tuple:
        try:
            pickle.dumps(self.error)
        except Exception:
            return _Failure, (DataError(str(self.error)),)
        return _Failure, (self.error,)


def _gather(samples: list[Any]) -> Batch | _Failure:
    if isinstance(samples[0], _Failure):
        return samples[0]
    try:
        return collate(samples)
    except DlcregError as error:
        return _Failure(error)


def _delivered(result: Batch | _Failure, pin: bool) -> Batch:
    if isinstance(result, _Failure):
        raise result.error
    return result.pin_memory() if pin else result


def _quiet_worker(worker: int) -> None:
    cv2.setNumThreads(0)  # the workers are the parallelism
    torch.set_num_threads(1)
