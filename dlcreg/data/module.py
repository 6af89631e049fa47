"""The data of a run: its three data sets and how they are batched."""

from __future__ import annotations

from dlcreg.contracts import Dataset
from dlcreg.data.loader import EpochLoader
from dlcreg.data.split import SplitLike
from dlcreg.errors import DataError
from dlcreg.structures import DatasetInfo


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

    Raises:
        DataError: the training part is empty, or the parts have different keypoints.
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
