"""Every labelled point of an evaluation beside its prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dlcreg.contracts import Dataset
from dlcreg.solvers.metrics.matching import match
from dlcreg.structures import Instances, Meta, Poses


@dataclass(frozen=True)
class Points:
    """Labelled points and their predictions.

    Args:
        keypoints: int ``(P,)``, which keypoint it is; unique body parts count on from K.
        animals: int ``(P,)``, which individual; -1 where that is not known, and for none.
        errors: float ``(P,)``, pixels; NaN for a point that was not found.
        scores: float ``(P,)``, likelihood; 0 for a point that was not found.
        sizes: float ``(P,)``, longer side of the animal's labelled box, in pixels; see `points_of`.
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

    Unique body parts, where the predictions hold some, are keypoints K and so on, of no animal;
    their size is that of the largest labelled animal of the image, their own where there is none.

    Args:
        dataset: gives the labels.
        predictions: of its images, with B = 1, in pixels of the original images.
    """
    rows = [row for meta, poses in predictions for row in _of_image(dataset, meta, poses)]
    columns = [np.concatenate(column) for column in zip(*rows)] if rows else [np.empty(0)] * 5
    return Points(columns[0].astype(int), columns[1].astype(int), *columns[2:])


def taken_for(dataset: Dataset, predictions: Sequence[tuple[Meta, Poses]]) -> np.ndarray | None:
    """Return which individual was taken for which: how often, int ``(A, A + 1)``.

    Rows are the labelled individuals, columns who they were taken for, the last one for none of
    them. An animal that was missed, and one of which nobody knows who it is, counts nowhere, as in
    `IdentityAccuracy`. None for data, and for predictions, that do not say who is who.

    Args:
        dataset: gives the labels.
        predictions: of its images, with B = 1, in pixels of the original images.
    """
    info = dataset.info
    if not info.identified or all(poses.identities is None for _, poses in predictions):
        return None
    count = len(info.individuals)
    table = np.zeros((count, count + 1), np.int64)
    for meta, poses in predictions:
        if poses.identities is None:  # nobody was found
            continue
        labels = dataset.annotations(meta.image_id)
        pairs, _, _ = match(poses, labels, direct=info.num_individuals == 1)
        for prediction, animal in pairs:
            who, found = int(labels.ids[animal]), int(poses.identities[0, prediction])
            if who >= 0:
                table[who, found if 0 <= found < count else count] += 1
    return table


Rows = Iterator[tuple[np.ndarray, ...]]


def _of_image(dataset: Dataset, meta: Meta, poses: Poses) -> Rows:
    info, labels = dataset.info, dataset.annotations(meta.image_id)
    pairs, _, _ = match(poses, labels, direct=info.num_individuals == 1)
    sizes = np.asarray(labels.boxes)[:, 2:].max(axis=1)
    yield from _of_animals(poses, labels, pairs, sizes, np.asarray(labels.ids))
    if poses.unique is not None and labels.unique is not None:
        pairs, _, _ = match(poses.unique, labels.unique, direct=True)
        own = np.asarray(labels.unique.boxes)[:, 2:].max(axis=1)
        largest = np.full(1, sizes[np.asarray(labels.valid, bool)].max(initial=0))
        sizes = np.where(largest > 0, largest, own)
        for points, *rest in _of_animals(poses.unique, labels.unique, pairs, sizes, [-1]):
            yield points + info.num_keypoints, *rest


def _of_animals(
    poses: Poses,
    labels: Instances,
    pairs: Sequence[tuple[int, int]],
    sizes: np.ndarray,
    ids: Sequence[int] | np.ndarray,
) -> Rows:
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
        who, size = np.full(len(seen), int(ids[animal])), np.full(len(seen), float(sizes[animal]))
        yield seen, who, errors, scores, size
