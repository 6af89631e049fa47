"""Evaluation: the same code in training, in validation and in ``tools/test.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dlcreg.contracts import Dataset, Metric
from dlcreg.errors import ConfigError, DlcregError, Problem
from dlcreg.solvers.devices import Precision, choose_device
from dlcreg.solvers.prediction import animals_of, joined, nobody, predict_batch
from dlcreg.solvers.proposed import KeypointScores, of_proposals, oks_nms
from dlcreg.structures import Batch, DatasetInfo, Meta, Poses


class Loader(Protocol):
    """Batches of a data set, in an order that depends on (seed, epoch) alone."""

    dataset: Dataset

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Return the batches of an epoch from batch `start` on."""


class Evaluation:
    """How a finished model is measured: the config's section ``evaluation``.

    Args:
        metrics: measures; None: those of the solver.
        batch_size: images at once; None: that of the data.
        flip_test: average the outputs with those of the mirrored image.
        scales: see each image at these scales, one of them 1, and put together what is found.
        refinements: how often a conditioned model is given the poses that it found as its next
            condition, in the same crops (Zhou et al., 2023). Crops move along where the predictions
            that were written are the next `proposals`.
        pcutoff: likelihood below which a keypoint counts as not found, for pictures and tables.
        pictures: number of the best and of the worst frames to draw.
        proposals: for models of instance crops: what another model found, a JSON file of COCO
            results or a checkpoint of a detector or of a bottom-up model. Each part of the data is
            then measured twice, with the labelled boxes and with these.
        score_threshold: an animal in a proposal scores as that one times the mean of its keypoints'
            scores above this; None: times the instance score that the model gives.
        nms: of poses in proposals that are more alike than this, by OKS, the best one remains;
            None: all do.
        keypoint_scores: whose the scores of keypoints in proposals with a condition are: those that
            the ``model`` gives, or as in DeepLabCut, see `dlcreg.solvers.proposed.of_proposals`.
    """

    def __init__(
        self,
        metrics: list[Metric] | None = None,
        batch_size: int | None = None,
        flip_test: bool = False,
        scales: Sequence[float] = (1,),
        refinements: int = 0,
        pcutoff: float = 0.6,
        pictures: int = 5,
        proposals: str | None = None,
        score_threshold: float | None = 0.2,
        nms: float | None = 0.9,
        keypoint_scores: KeypointScores = "model",
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: give 1 or more")
        if 1 not in scales or min(scales) <= 0:
            raise ValueError(f"scales={tuple(scales)}: give numbers above 0, and 1 among them")
        if refinements < 0:
            raise ValueError(f"refinements={refinements}: give 0 or more")
        if not 0 <= pcutoff <= 1:
            raise ValueError(f"pcutoff={pcutoff:g}: a likelihood lies between 0 and 1")
        if pictures < 0:
            raise ValueError(f"pictures={pictures}: give 0 or more")
        if proposals is not None and not Path(proposals).is_file():
            raise ValueError(
                f"proposals={str(proposals)!r}: there is no such file; give JSON of COCO results, "
                "or a checkpoint"
            )
        for name, value in (("score_threshold", score_threshold), ("nms", nms)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name}={value:g}: give a number from 0 to 1, or None")
        self.metrics = metrics
        self.batch_size = batch_size
        self.flip_test = flip_test
        self.scales = tuple(scales)
        self.refinements = refinements
        self.pcutoff = pcutoff
        self.pictures = pictures
        self.proposals = proposals
        if keypoint_scores not in ("model", "deeplabcut"):
            raise ValueError(
                f"keypoint_scores must be 'model' or 'deeplabcut', not {keypoint_scores!r}"
            )
        self.score_threshold = score_threshold
        self.nms = nms
        self.keypoint_scores: KeypointScores = keypoint_scores


def evaluate(
    model: nn.Module,
    loader: Loader,
    metrics: Sequence[Metric],
    *,
    device: str | torch.device | None = None,
    precision: Precision = "fp32",
    flip_test: bool = False,
    scales: Sequence[float] = (1,),
    refinements: int = 0,
    score_threshold: float | None = 0.2,
    nms: float | None = 0.9,
    keypoint_scores: KeypointScores = "model",
    predictions: list[tuple[Meta, Poses]] | None = None,
) -> dict[str, Any]:
    """Return what the metrics measure on all images of a loader.

    Args:
        model: called as ``model(images, mode='predict')``; left in the mode it was in.
        loader: the images; one pass over epoch 0.
        metrics: measures with keys of their own; see `check_metrics`.
        device: where to compute; None: where the model is.
        precision: of the forward pass.
        flip_test: see `Evaluation`.
        scales: see `Evaluation`.
        refinements: see `Evaluation`.
        score_threshold: see `Evaluation`; for a data set of proposals.
        nms: likewise.
        keypoint_scores: likewise.
        predictions: a list that is given each image's predictions, in pixels of the original
            image, with B = 1.

    Raises:
        ConfigError: a metric does not fit the data set, or two have a key in common.
    """
    check_metrics(metrics, loader.dataset.info, "evaluation.metrics")
    collected = Collector()
    for batch, poses in predict(
        model,
        loader,
        device=device,
        precision=precision,
        flip_test=flip_test,
        scales=scales,
        refinements=refinements,
    ):
        if loader.dataset.proposed is not None:
            poses = of_proposals(batch, poses, score_threshold, keypoint_scores)
        collected.add(batch.meta, poses)
    images = with_all_images(collected.images(), loader.dataset)
    if loader.dataset.proposed is not None and nms is not None:
        sigmas = loader.dataset.info.sigmas
        images = [(meta, oks_nms(poses, sigmas, nms)) for meta, poses in images]
    if predictions is not None:
        predictions.extend(images)
    return measure(images, loader.dataset, metrics)


def predict(
    model: nn.Module,
    loader: Loader,
    *,
    device: str | torch.device | None = None,
    precision: Precision = "fp32",
    flip_test: bool = False,
    scales: Sequence[float] = (1,),
    refinements: int = 0,
) -> Iterator[tuple[Batch, Poses]]:
    """Yield each batch with its poses, on the CPU, in pixels of the original images.

    Arguments as for `evaluate`.
    """
    device = choose_device(device) if device is not None else device_of(model)
    was_training = model.training
    model.eval()
    try:
        for batch in loader.epoch(0):
            yield (
                batch,
                predict_batch(
                    model,
                    batch,
                    device=device,
                    precision=precision,
                    flip_test=flip_test,
                    scales=scales,
                    refinements=refinements,
                ),
            )
    finally:
        model.train(was_training)


class Collector:
    """Puts the predictions of one image together, whichever crops and batches they come from."""

    def __init__(self) -> None:
        self._parts: dict[int, list[tuple[Meta, Poses]]] = {}

    def add(self, metas: Sequence[Meta], poses: Poses) -> None:
        """Add a batch: one `Meta` and one row of `poses` for each sample."""
        for row, meta in enumerate(metas):
            self._parts.setdefault(meta.image_id, []).append((meta, animals_of(poses, row)))

    def images(self) -> list[tuple[Meta, Poses]]:
        """Return for each image its `Meta` and its poses, with B = 1 and no padding."""
        images = []
        for parts in self._parts.values():
            parts.sort(key=lambda part: (part[0].instance or 0, part[0].index))
            images.append(
                (replace(parts[0][0], instance=None), joined([poses for _, poses in parts]))
            )
        return sorted(images, key=lambda image: image[0].index)


def with_all_images(
    images: Sequence[tuple[Meta, Poses]], dataset: Dataset
) -> list[tuple[Meta, Poses]]:
    """Return the predictions of all images, those without a sample among them: nothing found.

    Args:
        images: as `Collector.images` gives them.
        dataset: where they are from.
    """
    known = {meta.image_id for meta, _ in images}
    rest = [meta for meta in dataset.image_metas() if meta.image_id not in known]
    return [*images, *((meta, nobody(dataset.info)) for meta in rest)]


def measure(
    images: Sequence[tuple[Meta, Poses]], dataset: Dataset, metrics: Sequence[Metric]
) -> dict[str, Any]:
    """Return the values of all metrics in one dict; tables such as per keypoint are merged.

    Args:
        images: as `Collector.images` gives them.
        dataset: knows the labels.
        metrics: measures with keys of their own.

    Raises:
        DlcregError: a metric does not give what it promises.
    """
    for metric in metrics:
        metric.reset(dataset.info)
    for meta, poses in images:
        labels = dataset.annotations(meta.image_id)
        for metric in metrics:
            metric.update(poses, labels, meta)
    values: dict[str, Any] = {}
    for metric in metrics:
        measured = metric.compute()
        missing = [key for key in metric.keys if key not in measured]
        if missing:
            raise DlcregError(
                f"{type(metric).__name__} promises {missing[0]!r} among its keys, but compute() "
                f"gives only {', '.join(measured) or 'nothing'}. Correct the metric."
            )
        _merge(values, measured)
    return values


def check_metrics(
    metrics: Sequence[Metric], info: DatasetInfo, path: str = "solver.metrics"
) -> None:
    """Check that the metrics fit the data set, and that each key belongs to one metric alone.

    Raises:
        ConfigError: one does not fit, or two have a key in common.
    """
    owners: dict[str, Metric] = {}
    problems = []
    for index, metric in enumerate(metrics):
        try:
            metric.reset(info)
        except ValueError as error:
            problems.append(Problem(f"{path}.{index}", f"{type(metric).__name__}: {error}."))
        shared = [key for key in metric.keys if owners.setdefault(key, metric) is not metric]
        for other in dict.fromkeys(owners[key] for key in shared):
            keys = ", ".join(repr(key) for key in shared if owners[key] is other)
            both = f"{type(other).__name__} and {type(metric).__name__} both measure {keys}"
            problems.append(Problem(f"{path}.{index}", f"{both}: leave one of them out."))
    if problems:
        raise ConfigError(problems)


def device_of(model: nn.Module) -> torch.device:
    """Return the device that a model's weights are on."""
    tensor: Tensor | None = next(model.parameters(), None)
    return tensor.device if tensor is not None else torch.device("cpu")


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value
