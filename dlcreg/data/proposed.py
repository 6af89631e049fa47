"""The crops of a data set that other models propose, and the conditions that come with them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from dlcreg.data.crops import Crop, fitted, pooled, training_crops
from dlcreg.data.images import image_size
from dlcreg.data.proposals import NO_PROPOSALS, ImageProposals, Proposals
from dlcreg.data.records import Record
from dlcreg.data.samples import unlabelled
from dlcreg.errors import DataError
from dlcreg.structures import Instances, Meta, Poses, Sample

logger = logging.getLogger("dlcreg")

ProposalsLike = Proposals | str | Path
"""What another model found, or a file of it."""

Unmatched = Literal["drop", "keep"]
"""What becomes of a labelled animal that nobody proposes."""


class Proposed:
    """What models have found in the images of a data set.

    Args:
        proposals: of one model, or a list of those of several.
        records: the images.
        num_keypoints: K of the data; poses of another K are boxes only.
        box_margin: pixels around keypoints, for those that have no box.
        category_ids: of the animals, in files that know several categories.

    Raises:
        DataError: a file cannot be read, nothing in it is of these images, or poses of several
            models differ in their keypoints.
    """

    def __init__(
        self,
        proposals: ProposalsLike | Sequence[ProposalsLike],
        records: Sequence[Record],
        num_keypoints: int,
        box_margin: float,
        category_ids: Collection[int] = (),
    ) -> None:
        several: list[ProposalsLike] = (
            [*proposals] if isinstance(proposals, (list, tuple)) else [proposals]  # type: ignore[list-item]
        )
        if not several:
            raise DataError("proposals is an empty list; give what one model found, or more")
        self.models = tuple(
            one if isinstance(one, Proposals) else Proposals.read(one, category_ids)
            for one in several
        )
        self.records, self.num_keypoints = records, num_keypoints
        self._check_poses()
        found = [_found(one, records, box_margin) for one in self.models]
        rows = [row for row in range(len(records)) if any(row in one for one in found)]
        self.parts = {row: [one[row] for one in found if row in one] for row in rows}
        self.images = {row: pooled(parts) for row, parts in self.parts.items()}

    def crops(self) -> list[Crop]:
        """Return a crop for each proposal of the only model.

        Raises:
            DataError: there are several models.
        """
        if len(self.models) > 1:
            raise DataError(
                f"proposals of {len(self.models)} models are to learn from; take those of one here"
            )
        return [Crop(row, None, i) for row, found in self.images.items() for i in range(len(found))]

    def training_crops(
        self, labelled: Sequence[Crop], labels: Callable[[int], Instances], unmatched: Unmatched
    ) -> list[Crop]:
        """Return crops of labelled animals by the proposals that are most like them.

        Args:
            labelled: the crops by labelled boxes.
            labels: gives the labels of an image by its row.
            unmatched: what becomes of the others.

        Raises:
            DataError: no proposal is like any animal.
        """
        if unmatched not in ("drop", "keep"):
            raise DataError(f"unmatched must be 'drop' or 'keep', not {unmatched!r}")
        crops: Mapping[tuple, Crop] = {
            (crop.row, crop.animal): crop
            for row, parts in self.parts.items()
            for crop in training_crops(row, labels(row), parts)
        }
        if not crops:
            raise DataError("none of the proposals is like a labelled animal")
        if len(crops) < len(labelled):
            logger.info(
                "%d of the %d labelled animals have no proposal and are %s",
                len(labelled) - len(crops),
                len(labelled),
                "left out" if unmatched == "drop" else "taken without",
            )
        all_crops = [crops.get((crop.row, crop.animal), crop) for crop in labelled]
        return [crop for crop in all_crops if crop.proposal is not None or unmatched == "keep"]

    def poses(self) -> list[tuple[Meta, Poses]] | None:
        """Return for each image what the only model has found in it; None without poses."""
        if len(self.models) > 1 or self.models[0].num_keypoints != self.num_keypoints:
            return None
        return [
            (
                Meta(record.image_id, record.name, record.size or image_size(record.path), index=i),
                self.images.get(i, NO_PROPOSALS).as_poses(self.num_keypoints),
            )
            for i, record in enumerate(self.records)
        ]

    def apply(self, sample: Sample, crop: Crop, rng: np.random.Generator) -> Sample:
        """Return a sample with box, score and condition of its proposal.

        Args:
            sample: of the whole image, its animal the only one if it has one.
            crop: which proposal.
            rng: draws one of several models.
        """
        chosen = crop.proposal
        if crop.alternatives:
            choices = crop.proposal, *crop.alternatives
            chosen = choices[rng.integers(len(choices))]
        found = self.images[crop.row].rows(np.array([chosen]))
        condition = None
        if any(model.num_keypoints == self.num_keypoints for model in self.models):
            poses = found.keypoints
            condition = np.zeros((self.num_keypoints, 3), np.float32) if poses is None else poses[0]
        meta = replace(sample.meta, score=float(found.scores[0]))
        if crop.animal is None:
            meta = replace(meta, instance=crop.proposal)
            return unlabelled(sample.image, meta, self.num_keypoints, found.boxes[0], condition)
        instances = replace(sample.instances, boxes=found.boxes)
        return replace(sample, instances=instances, meta=meta, condition=condition)

    def _check_poses(self) -> None:
        """Say that poses are no conditions, where they have other keypoints than the data."""
        count = self.num_keypoints
        others = [model for model in self.models if model.num_keypoints not in (None, count)]
        if not others:
            return
        where, real = others[0].source or "proposals", others[0].num_keypoints
        if len(self.models) > 1:
            raise DataError(
                f"{where}: poses of {real} keypoints, where the data has {count}; those of several "
                "models must all fit"
            )
        logger.warning(
            "%s: poses of %d keypoints, where the data has %d: their boxes alone are used, and a "
            "model that looks at a condition finds none",
            where,
            real,
            count,
        )


def _found(
    proposals: Proposals, records: Sequence[Record], box_margin: float
) -> dict[int, ImageProposals]:
    """Return what is proposed in each of the images, by its row."""
    found = {
        row: fitted(proposed, box_margin, record.size or image_size(record.path))
        for row, record in enumerate(records)
        if len(proposed := proposals.of(record.image_id, record.name))
    }
    if records and not any(map(len, found.values())):
        raise DataError(
            f"{proposals.source or 'the proposals'}: {len(proposals)} proposals, none of them in "
            f"an image of this part of the data, such as {records[0].name}"
        )
    return found
