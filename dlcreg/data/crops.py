"""Which crops of an image there are, where another model proposes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pycocotools import mask as coco_boxes
from scipy.optimize import linear_sum_assignment

from dlcreg.contracts import Size
from dlcreg.data.keypoints import grown_boxes
from dlcreg.data.proposals import ImageProposals
from dlcreg.similarity import DEFAULT_SIGMA, object_similarity
from dlcreg.structures import Instances

_LEAST = 0.1  # a proposal less alike is another animal, or none


class Crop(NamedTuple):
    """A sample of a data set.

    Args:
        row: of the image among the records.
        animal: which of the image's labels; None: the whole image, or a proposal of whatever.
        proposal: which of the image's proposals; None: the labelled box.
        alternatives: other proposals of the same animal, by other models; which of them all is
            taken is drawn anew in each epoch.
    """

    row: int
    animal: int | None = None
    proposal: int | None = None
    alternatives: tuple[int, ...] = ()


def fitted(found: ImageProposals, margin: float, size: Size) -> ImageProposals:
    """Return the proposals of an image as crops are cut by them.

    Boxes that are but the extent of keypoints are made larger and cut at the border of the image;
    what lies wholly outside the image is left out.

    Args:
        found: proposals, in pixels of the image.
        margin: pixels more on each side of such a box.
        size: height and width of the image.
    """
    grown = grown_boxes(found.boxes, margin, size)
    within = (clipped(found.boxes, size)[:, 2:] > 0).all(axis=1)
    within |= found.derived & (grown[:, 2:] > 0).all(axis=1)
    boxes = np.where(found.derived[:, None], grown, found.boxes)
    return ImageProposals(boxes, found.scores, found.keypoints, found.derived).rows(within)


def clipped(boxes: np.ndarray, size: Size) -> np.ndarray:
    """Return what of boxes ``(N, 4)`` lies in an image of `size`; width or height 0: nothing."""
    return grown_boxes(boxes, 0.0, size)


def pooled(parts: Sequence[ImageProposals]) -> ImageProposals:
    """Return what several models found in an image as one; with poses if one of them has some."""
    counts = [part.keypoints.shape[1] for part in parts if part.keypoints is not None]
    keypoints = None
    if counts:
        blank = (counts[0], 3)
        poses = [
            np.zeros((len(part), *blank), np.float32) if part.keypoints is None else part.keypoints
            for part in parts
        ]
        keypoints = np.concatenate(poses)
    return ImageProposals(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        keypoints,
        np.concatenate([part.derived for part in parts]),
    )


def training_crops(row: int, labels: Instances, parts: Sequence[ImageProposals]) -> list[Crop]:
    """Return a crop for each animal that some model's proposals are like.

    Args:
        row: of the image among the records.
        labels: numpy, the animals of that image.
        parts: what each model found in it; crops number proposals as `pooled` has them.
    """
    choices: dict[int, list[int]] = defaultdict(list)
    offset = 0
    for part in parts:
        for animal, proposal in matched(labels, part):
            choices[animal].append(offset + proposal)
        offset += len(part)
    return [Crop(row, who, first, tuple(rest)) for who, (first, *rest) in sorted(choices.items())]


def matched(labels: Instances, found: ImageProposals) -> list[tuple[int, int]]:
    """Return pairs (animal, proposal), each in one pair at most, that are most alike in sum.

    Alike are boxes by their intersection over union; with poses half of it is the object keypoint
    similarity, for boxes of animals upon one another tell little. Animals without a label, and
    those that no proposal is like, are in no pair.

    Args:
        labels: numpy, the animals of an image.
        found: the proposals of that image.
    """
    animals = np.flatnonzero((labels.visibility > 0).any(axis=1))
    if not len(animals) or not len(found):
        return []
    alike = np.asarray(
        coco_boxes.iou(
            labels.boxes[animals].astype(np.float64),
            found.boxes.astype(np.float64),
            np.zeros(len(found), np.uint8),
        )
    )
    if found.keypoints is not None and found.keypoints.shape[1] == labels.keypoints.shape[1]:
        points = np.where(found.keypoints[..., 2:] > 0, found.keypoints[..., :2], np.nan)
        poses = object_similarity(
            points,
            labels.keypoints[animals],
            labels.visibility[animals] > 0,
            labels.areas[animals],
            np.full(points.shape[1], DEFAULT_SIGMA),
        )
        alike = (alike + poses.T) / 2
    rows, columns = linear_sum_assignment(alike, maximize=True)
    return [
        (int(animals[row]), int(column))
        for row, column in zip(rows, columns, strict=True)
        if alike[row, column] >= _LEAST
    ]
