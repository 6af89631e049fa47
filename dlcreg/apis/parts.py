"""The parts of the data that are measured, by labelled boxes and by what another model proposes."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.contracts import Dataset
from dlcreg.data.module import DataModule
from dlcreg.data.proposals import Proposals
from dlcreg.inference import Predictor

logger = logging.getLogger("dlcreg")

DETECTED = "_detected"
"""What is added to the name of a part that is measured on proposals."""

_TRIED = 8  # samples: a flip of half of them is missed once in 256 times


def evaluated_parts(data: DataModule) -> dict[str, Dataset]:
    """Return the parts to measure; the training images go through the test's transforms."""
    plain = data.test or data.val
    if plain is None and _is_random(data.train):
        logger.warning(
            "there are no test and no validation images: the training images are measured as they "
            "are augmented, which is random. Give data.test or data.val (their transforms count), "
            "or the evaluation a data.train.transform without augmentation"
        )
    parts = {"train": data.train.with_pipeline_of(plain) if plain is not None else data.train}
    if data.val is not None:
        parts["val"] = data.val
    if data.test is not None:
        parts["test"] = data.test
    return parts


def detected_parts(
    source: str | Path | None, parts: Mapping[str, Dataset], device: Any = None
) -> dict[str, Dataset]:
    """Return views of the parts whose crops are cut by what another model found.

    Args:
        source: JSON file of COCO results, or a checkpoint (.pth) of a detector or of a bottom-up
            model, which is run on the images; None: no proposals, no views.
        parts: data sets by name.
        device: where a checkpoint's model computes.

    Returns:
        Data sets by the name of the part with ``_detected``. A part of whose images a file says
        nothing is left out; so is one in which a model found nothing, and both are told.

    Raises:
        DataError: a file that cannot be read or tells of none of the images, a model that needs
            proposals itself, or samples that are no crops.
        CheckpointError: the checkpoint cannot be read.
    """
    if source is None:
        return {}
    found = {}
    if Path(source).suffix == ".pth":
        predictor = Predictor(source, device=device)
        found = {name: _computed(predictor, part, str(source)) for name, part in parts.items()}
    else:
        for name, part in parts.items():
            found[name] = Proposals.read(source, tuple(part.category_ids))
    views = {}
    for name, part in parts.items():
        if any(len(found[name].of(meta.image_id, meta.path)) for meta in part.image_metas()):
            views[name + DETECTED] = part.with_proposals(found[name])
        else:
            logger.warning("%s proposes nothing for the %s images", source, name)
    if not views:  # which tells why
        name, part = next(iter(parts.items()))
        part.with_proposals(found[name])
    return views


def _computed(predictor: Predictor, part: Dataset, source: str) -> Proposals:
    images = zip(part.image_metas(), part.image_files(), strict=True)
    return Proposals.from_poses(predictor.stream(images), source)


def _is_random(dataset: Dataset) -> bool:
    """Whether the first samples of a data set differ from epoch to epoch."""
    drawn = []
    for epoch in range(2):
        view = copy.copy(dataset)
        view.set_epoch(epoch)
        drawn.append([view[i] for i in range(min(_TRIED, len(view)))])
    return any(
        not (np.array_equal(a.image, b.image) and np.array_equal(a.matrix, b.matrix))
        for a, b in zip(*drawn, strict=True)
    )
