"""Images to poses, with any trained model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dlcreg.data.proposals import ImageProposals, Proposals
from dlcreg.inference.batch_size import BatchSize, Size
from dlcreg.inference.checkpoint import Trained, load_trained
from dlcreg.inference.dynamic_crop import CropFollower, DynamicCrop, check_dynamic_crop
from dlcreg.inference.engine import Engine, Job
from dlcreg.inference.exported.loaded import is_exported
from dlcreg.inference.following import Conditioned, ConditionedFollower
from dlcreg.inference.proposing import Ask, check_proposals, proposer_of
from dlcreg.inference.reading import OnError, readable
from dlcreg.inference.samples import Samples
from dlcreg.inference.sources import Frame, is_one
from dlcreg.inference.threads import read_ahead
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.solvers.devices import Precision, choose_device
from dlcreg.solvers.prediction import joined, nobody, predict_batch
from dlcreg.solvers.proposed import of_proposals, oks_nms
from dlcreg.structures import Batch, DatasetInfo, Meta, Poses, Sample

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
        checkpoint: a ``.pth`` file of a training, or an ``.onnx`` or ``.pt2`` file that was
            exported from one; or what `load_trained` has made of it.
        proposals: for models that see one animal at a time, what says where the animals are: a
            `Predictor`, or the checkpoint of a detector or of a model that sees whole images; a
            JSON file of results or `Proposals`, which know images by their names, else by their
            numbers; or a function of an image and its `Meta` that returns boxes. For models with a
            condition the poses that these found are the conditions.
        device: such as ``"cpu"`` or ``"cuda:1"``; None: that of the config, else the GPU if there
            is one.
        batch_size: images at once; ``auto`` takes more as long as it pays and fits.
        precision: of the forward pass; None: that of the config, in which it was measured;
            ``auto``: half precision where the device is faster in it.
        flip_test: average the outputs with those of the mirrored image; None: as in evaluation.
        refinements: how often a model with a condition is given the poses that it found as its next
            condition; None: as in evaluation.
        compile: compile the model (`torch.compile`): minutes at first, faster then.
        dynamic_crop: images are frames of a video, in the order of time, and the model looks at
            what lies around the animals of the last one.
        options: values that replace those of the config, ``key.path=value`` or a mapping.

    Raises:
        CheckpointError: the checkpoint cannot be read, or carries no config.
        ConfigError: mistakes in the options, or a device that is not there.
        DataError: the model needs proposals and there are none, or the other way round; or these
            are not what it needs; or it cannot look at crops.
        PluginError: packages that the checkpoint was made with are not installed.
        ValueError: a batch size below 1.
    """

    def __init__(
        self,
        checkpoint: str | Path | Trained,
        proposals: Predictor | Proposals | Ask | str | Path | None = None,
        *,
        device: str | torch.device | None = None,
        batch_size: Size = "auto",
        precision: Precision | None = None,
        flip_test: bool | None = None,
        refinements: int | None = None,
        compile: bool = False,
        dynamic_crop: DynamicCrop | None = None,
        options: Sequence[str] | Mapping[str, Any] = (),
    ) -> None:
        self.trained = (
            checkpoint if isinstance(checkpoint, Trained) else load_trained(checkpoint, options)
        )
        self.samples, self.dynamic_crop = Samples(self.trained), dynamic_crop
        if dynamic_crop is not None:
            check_dynamic_crop(self.trained, self.samples)
        config = self.trained.config
        self.device = choose_device(device or config.get("solver.device"))
        self.model = self.trained.model.to(self.device)
        if compile:
            self.model.compile()
        measured = self.trained.evaluation
        self._predict: Callable[[Batch], Poses] = partial(
            predict_batch,
            self.model,
            device=self.device,
            precision=precision or config.get("solver.precision", "fp32"),
            flip_test=measured.flip_test if flip_test is None else flip_test,
            scales=measured.scales,
            refinements=measured.refinements if refinements is None else refinements,
        )
        self._batch_size = BatchSize(batch_size, self.device)
        if isinstance(proposals, (str, Path)):
            proposals = (
                Predictor(proposals, device=self.device, batch_size=batch_size)
                if checkpoints.is_checkpoint(proposals) or is_exported(proposals)
                else Proposals.read(proposals)
            )
        self.proposals: Predictor | Proposals | Ask | None = proposals
        check_proposals(self.trained, proposals)
        self._proposed = None if proposals is None else proposer_of(proposals)

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
                ``(N, H, W, C)``; an image file; a folder; a COCO file, for its images; or any
                iterable of these, which is drawn from as its images are needed. Pairs of a `Meta`
                and an image keep the `Meta`.
            on_error: of an image that cannot be read: ``raise``, or ``nan`` for poses of NaN that
                are not `Poses.valid`, and a warning; or a function that is told of it instead.

        Yields:
            the `Meta`, and CPU tensors with B = 1, in pixels of the image.

        Raises:
            DataError: an image that is none, a folder without images, a transform that failed.
        """
        frames = readable(images, on_error)  # now, for what is wrong with the arguments
        return ((frame.meta, poses) for frame, poses in self.on_frames(frames))

    def track(
        self,
        images: Any,
        max_animals: int | None = None,
        *,
        on_error: OnError = "raise",
        **settings: Any,
    ) -> Iterator[tuple[Meta, Poses]]:
        """Follow animals from image to image with a model that looks at a condition.

        The last pose of an animal is its next condition (Zhou et al., 2023), so that it stays the
        same animal, and the model that proposes poses is asked only while an animal is missing.

        Args:
            images: see `stream`; in the order of time.
            max_animals: how many there are at most; None: as many as the model that proposes
                poses finds in an image at most.
            on_error: see `stream`; the animals are followed beyond an image that cannot be read.
            **settings: ``every``, ``new``, ``lost``, ``same``: see `Conditioned`.

        Yields:
            the `Meta`, and poses with B = 1 and a row for each animal, the same in all images;
            the rows of missing ones are not valid. `Poses.identities` are the numbers of the rows.

        Raises:
            DataError: the model looks at no condition, or see `stream`.
            ValueError: a number out of range, or nobody knows how many animals there are.
        """
        follower = ConditionedFollower(self, Conditioned(max_animals, **settings))
        frames = read_ahead(readable(images, on_error), _AHEAD)
        return ((frame.meta, poses) for frame, poses in follower.on_frames(frames))

    def proposed(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, ImageProposals]]:
        """Yield frames that were read in order, each with what was proposed for it."""
        assert self._proposed is not None
        return self._proposed(frames)

    def on_frames(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Poses]]:
        """Yield frames that were read in order, each with its poses.

        Args:
            frames: drawn from in another thread; one that could not be read has poses of NaN that
                are not valid.
        """
        if self.dynamic_crop is not None:
            follower = CropFollower(self, self.dynamic_crop)
            return follower.on_frames(read_ahead(frames, _AHEAD))
        if self._proposed is None:
            jobs = read_ahead(map(self.samples.whole, frames), _AHEAD)
        else:
            read = read_ahead(frames, _AHEAD)
            jobs = (self.samples.crops(frame, found) for frame, found in self.proposed(read))
        return self.run(jobs)

    def samples_of(self, frame: Frame) -> Sequence[Sample]:
        """Return what the model sees of a frame that was read: it, or its animals."""
        if self._proposed is None:
            return self.samples.whole(frame).samples
        return [
            one
            for _, found in self.proposed([frame])
            for one in self.samples.crops(frame, found).samples
        ]

    def run(self, jobs: Iterator[Job]) -> Iterator[tuple[Frame, Poses]]:
        """Yield the frame of each job in order, and the poses that are found in its samples."""
        for job in Engine(self._poses_of, self._batch_size).run(jobs):
            yield job.carried, self._joined(job)

    def _poses_of(self, batch: Batch) -> Poses:
        poses = self._predict(batch)
        if self._proposed is None:
            return poses
        measured = self.trained.evaluation
        return of_proposals(batch, poses, measured.score_threshold, measured.keypoint_scores)

    def _joined(self, job: Job) -> Poses:
        """Return the animals of an image."""
        parts = [part for part in job.parts if part is not None]
        if not parts:
            is_read = job.carried.image is not None
            return nobody(self.info, 0 if is_read else self.info.num_individuals)
        poses, nms = joined(parts), self.trained.evaluation.nms
        if self._proposed is None or nms is None:
            return poses
        return oks_nms(poses, self.info.sigmas, nms)
