"""Every labelled point of an evaluation beside its prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dlcreg.contracts import Dataset
from dlcreg.solvers.metrics.matching import match
from dlcreg.structures import Meta, Poses


@dataclass(frozen=True)
class Points:
    """Labelled points and their predictions.

    Args:
        keypoints: int ``(P,)``, which keypoint it is.
        animals: int ``(P,)``, which individual; -1 where that is not known.
        errors: float ``(P,)``, pixels; NaN for a point that was not found.
        scores: float ``(P,)``, likelihood; 0 for a point that was not found.
        sizes: float ``(P,)``, longer side of the animal's labelled box, in pixels.
    """

    keypoints: np.ndarray
    animals: np.ndarray
    errors: np.ndarray
    scores: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.keypoints)

    def of(self, chosen: np.ndarray) -> Points:
        """Return some of them, by a mask ``(P,)``."""
        fields = (self.keypoints, self.animals, self.errors, self.scores, self.sizes)
        return Points(*(values[chosen] for values in fields))

    @property
    def found(self) -> np.ndarray:
        """Which were found: bool ``(P,)``."""
        return np.isfinite(self.errors)

    def right(self, share: float) -> np.ndarray:
        """Which lie within a share of the animal's size from their label: bool ``(P,)``."""
        with np.errstate(invalid="ignore"):
            return self.errors <= np.maximum(share * self.sizes, 1.0)


def points_of(dataset: Dataset, predictions: Sequence[tuple[Meta, Poses]]) -> Points:
    """Return the labelled points of a part of the data.

    Args:
        dataset: gives the labels.
        predictions: of its images, with B = 1, in pixels of the original images.
    """
    rows = [row for meta, poses in predictions for row in _of_image(dataset, meta, poses)]
    columns = [np.concatenate(column) for column in zip(*rows)] if rows else [np.empty(0)] * 5
    return Points(columns[0].astype(int), columns[1].astype(int), *columns[2:])


def _of_image(dataset: Dataset, meta: Meta, poses: Poses) -> Iterator[tuple[np.ndarray, ...]]:
    labels = dataset.annotations(meta.image_id)
    pairs, _, _ = match(poses, labels, direct=dataset.info.num_individuals == 1)
    prediction_of = {animal: prediction for prediction, animal in pairs}
    for animal in np.flatnonzero(np.asarray(labels.valid, bool)).tolist():
        (seen,) = np.nonzero(np.asarray(labels.visibility[animal]) > 0)
        errors, scores = np.full(len(seen), np.nan), np.zeros(len(seen))
        if animal in prediction_of:
            row = prediction_of[animal]
            places = poses.keypoints[0, row].numpy()[seen]
            errors = np.linalg.norm(places - np.asarray(labels.keypoints[animal])[seen], axis=-1)
            found = np.isfinite(errors)
            scores = np.where(found, poses.scores[0, row].numpy()[seen], 0)
        size = float(np.asarray(labels.boxes[animal])[2:].max())
        who = np.full(len(seen), int(np.asarray(labels.ids)[animal]))
        yield seen, who, errors, scores, np.full(len(seen), size)
