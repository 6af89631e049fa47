"""Images to poses, with any trained model."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from dlcreg.data.samples import prepared, unlabelled
from dlcreg.errors import DlcregError
from dlcreg.inference.batch_size import BatchSize, Size
from dlcreg.inference.checkpoint import Trained, load_trained
from dlcreg.inference.engine import Engine, Job
from dlcreg.inference.sources import Frame, frames_of, is_one
from dlcreg.inference.threads import mapped_ahead, read_ahead
from dlcreg.solvers.devices import Precision, choose_device
from dlcreg.solvers.prediction import joined, predict_batch
from dlcreg.structures import Batch, DatasetInfo, Meta, Poses

logger = logging.getLogger("dlcreg")

OnError = Literal["raise", "nan"] | Callable[[Meta, DlcregError], object]
"""What happens with an image that cannot be read: an error, or no animal and a warning; a function
is told of it in place of the warning."""

_AHEAD = 16  # images read and prepared while the model is busy


class Predictor:
    """A trained model that is given images and finds poses.

    Images go through the transforms of the test data and through the same code as in evaluation,
    so that poses are those that were measured.

    >>> predictor = Predictor("work_dirs/run/best.pth")  # doctest: +SKIP
    >>> poses = predictor("frame.png")  # doctest: +SKIP
    >>> poses.keypoints[0]  # (animals, keypoints, 2), x and y in pixels  # doctest: +SKIP
    >>> for meta, poses in predictor.stream("folder"):  # doctest: +SKIP
    ...     print(meta.path, poses.scores[0].mean())

    Args:
        checkpoint: a ``.pth`` file of a training.
        device: such as ``"cpu"`` or ``"cuda:1"``; None: that of the config, else the GPU if there
            is one.
        batch_size: images at once; ``auto`` takes more as long as it pays and fits.
        precision: of the forward pass; None: that of the config, in which it was measured;
            ``auto``: half precision where the device is faster in it.
        flip_test: average the outputs with those of the mirrored image; None: as in evaluation.
        compile: compile the model (`torch.compile`): minutes at first, faster then.
        options: values that replace those of the config, ``key.path=value`` or a mapping.

    Raises:
        CheckpointError: the checkpoint cannot be read, or carries no config.
        ConfigError: mistakes in the options, or a device that is not there.
        PluginError: packages that the checkpoint was made with are not installed.
        ValueError: a batch size below 1.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        device: str | torch.device | None = None,
        batch_size: Size = "auto",
        precision: Precision | None = None,
        flip_test: bool | None = None,
        compile: bool = False,
        options: Sequence[str] | Mapping[str, Any] = (),
    ) -> None:
        self.trained: Trained = load_trained(checkpoint, options)
        config = self.trained.config
        self.device = choose_device(device or config.get("solver.device"))
        self.model = self.trained.model.to(self.device)
        if compile:
            self.model.compile()
        self.pipeline = self.trained.pipeline()
        self._batch_size = BatchSize(batch_size, self.device)
        if flip_test is None:
            flip_test = bool(config.get("evaluation.flip_test", False))
        self._predict: Callable[[Batch], Poses] = partial(
            predict_batch,
            self.model,
            device=self.device,
            precision=precision or config.get("solver.precision", "fp32"),
            flip_test=flip_test,
            scales=tuple(config.get("evaluation.scales", (1,))),
        )

    @property
    def info(self) -> DatasetInfo:
        """Names of keypoints, individuals and unique body parts, skeleton, twins."""
        return self.trained.info

    @property
    def keypoint_names(self) -> tuple[str, ...]:
        """Names along the K axis of poses."""
        return self.info.keypoint_names

    @property
    def individuals(self) -> tuple[str, ...]:
        """Names that `Poses.identities` counts."""
        return self.info.individuals

    @property
    def batch_size(self) -> int:
        """Images at once, as far as is known by now."""
        return self._batch_size.size

    def __call__(self, images: Any, on_error: OnError = "raise") -> Any:
        """Return the poses of one image, or the list of those of several.

        Args:
            images: an array ``(H, W, C)`` or the path of an image file gives one `Poses`;
                everything else that `stream` takes gives a list.
            on_error: see `stream`.

        Returns:
            CPU tensors with B = 1, in pixels of the image.

        Raises:
            DataError: see `stream`.
        """
        found = [poses for _, poses in self.stream(images, on_error)]
        return found[0] if is_one(images) else found

    def stream(self, images: Any, on_error: OnError = "raise") -> Iterator[tuple[Meta, Poses]]:
        """Yield each image's `Meta` and poses, in order, as they are found.

        Images are read ahead in threads. Memory does not grow with their number.

        Args:
            images: an array ``(H, W, C)``, uint8 or uint16, grey, RGB or RGBA, or a stack of such
                ``(N, H, W, C)``; an image file; a folder; or any iterable of these, which is drawn
                from as its images are needed. Pairs of a `Meta` and an image keep the `Meta`.
            on_error: of an image that cannot be read: ``raise``, or ``nan`` for poses of NaN that
                are not `Poses.valid`, and a warning; or a function that is told of it instead.

        Yields:
            the `Meta`, and CPU tensors with B = 1, in pixels of the image.

        Raises:
            DataError: an image that is none, a folder without images, a transform that failed.
        """
        if on_error not in ("raise", "nan") and not callable(on_error):
            raise ValueError(f"on_error must be 'raise', 'nan' or a function, not {on_error!r}")
        frames = frames_of(images)  # now, for what is wrong with the arguments

        def found() -> Iterator[tuple[Meta, Poses]]:
            workers = min(4, os.cpu_count() or 1)
            read = mapped_ahead(Frame.read, frames, workers, 2 * workers)
            jobs = read_ahead(map(partial(self._job, on_error=on_error), read), _AHEAD)
            for job in Engine(self._predict, self._batch_size).run(jobs):
                yield job.meta, self._poses(job)

        return found()

    def _job(self, frame: Frame, on_error: OnError) -> Job:
        if frame.image is None:
            assert frame.error is not None
            _tell(frame.meta, frame.error, on_error)
            return Job(frame.meta, (), carried="unread")
        sample = unlabelled(frame.image, frame.meta, self.info.num_keypoints)
        where = frame.meta.path or f"image {frame.meta.index}"
        rng = np.random.default_rng(0)
        return Job(frame.meta, (prepared(sample, self.pipeline, rng, where),))

    def _poses(self, job: Job) -> Poses:
        parts = [part for part in job.parts if part is not None]
        if parts:
            return joined(parts)
        return nobody(self.info, self.info.num_individuals if job.carried == "unread" else 0)


def nobody(info: DatasetInfo, rows: int = 0) -> Poses:
    """Return the poses of an image without animals, B = 1, with so many rows that only pad."""
    count = info.num_keypoints
    return Poses(
        keypoints=torch.full((1, rows, count, 2), torch.nan),
        scores=torch.zeros(1, rows, count),
        instance_scores=torch.zeros(1, rows),
        valid=torch.zeros(1, rows, dtype=torch.bool),
        unique=None if info.unique is None else nobody(info.unique, min(rows, 1)),
    )


def _tell(meta: Meta, error: DlcregError, on_error: OnError) -> None:
    if on_error == "raise":
        raise error
    if callable(on_error):
        on_error(meta, error)
    else:
        logger.warning("image %d is left out: %s", meta.index, error)
