"""What the options of a data set say of keypoints, and what holds where they say nothing."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from dlcreg.data.coco import CocoFile
from dlcreg.data.frames import FrameDataset
from dlcreg.data.keypoints import Pairs, find_flip_pairs, resolve_pairs, sided_without_twin
from dlcreg.errors import DataError
from dlcreg.similarity import DEFAULT_SIGMA
from dlcreg.structures import DatasetInfo

logger = logging.getLogger("dlcreg")


def check_names(names: Sequence[str]) -> None:
    """Refuse a list of keypoints that is empty or names one twice.

    Raises:
        DataError: it is so.
    """
    if len(set(names)) < len(names) or not names:
        raise DataError(f"keypoint_names must name each keypoint once: {', '.join(names)}")


def check_ids(file: CocoFile, individual_names: Sequence[str]) -> None:
    """Refuse names of individuals that do not fit the animals of a COCO file.

    Raises:
        DataError: a name stands twice, or a ``track_id`` counts further than there are names.
    """
    names = list(individual_names)
    if not names or len(set(names)) < len(names):
        raise DataError(f"individual_names must name each individual once: {', '.join(names)}")
    largest = max((int(record.ids.max(initial=-1)) for record in file.records), default=-1) + 1
    if largest > len(names):
        raise DataError(
            f"individual_names has {len(names)} names, but {file.path} has a track_id of {largest}"
        )


def unique_info(names: Sequence[str]) -> DatasetInfo | None:
    """Return what a data set says of its unique body parts; None where there are none."""
    if not names:
        return None
    names = tuple(names)
    sigmas = chosen_sigmas(None, len(names))
    return DatasetInfo(names, flip_pairs=find_flip_pairs(names), sigmas=sigmas)


def chosen_pairs(given: Sequence | None, names: tuple[str, ...]) -> Pairs:
    """Return the pairs of twins that were given, or those that the names tell of.

    Raises:
        DataError: a keypoint does not exist, or is in two pairs.
    """
    if given is None:
        return find_flip_pairs(names)
    pairs = resolve_pairs(given, names, "flip_pairs")
    flat = [i for pair in pairs for i in pair]
    twice = [i for i in flat if flat.count(i) > 1]
    if twice:
        raise DataError(f"flip_pairs: {names[twice[0]]!r} stands in two places; it has one twin")
    return pairs


def tell_without_twins(dataset: FrameDataset) -> None:
    """Say which keypoints mirror images do not swap, where nobody said which there are to swap."""
    mirrors = [t for t in dataset.pipeline.transforms if getattr(t, "mirrors", False)]
    names, pairs = dataset.info.keypoint_names, dataset.info.flip_pairs
    if not mirrors or not names:
        return
    if not pairs:
        logger.warning(
            "%s mirrors images, but the names of the keypoints (%s) tell of no left and right: "
            "none are swapped. Give flip_pairs=[[left, right], ...], or flip_pairs=[] if so it is",
            type(mirrors[0]).__name__,
            ", ".join(names),
        )
    elif alone := sided_without_twin(names, pairs):
        logger.warning(
            "%s mirrors images, but no twin was found of %s: what looks like left or right by its "
            "name is not swapped. Give flip_pairs=[[left, right], ...] with all pairs",
            type(mirrors[0]).__name__,
            ", ".join(alone),
        )


def chosen_skeleton(given: Sequence | None, known: Sequence, names: tuple[str, ...]) -> Pairs:
    """Return the skeleton that was given, or of the `known` pairs of names those that exist.

    Raises:
        DataError: a keypoint does not exist.
    """
    if given is not None:
        return resolve_pairs(given, names, "skeleton")
    return tuple((names.index(a), names.index(b)) for a, b in known if a in names and b in names)


def chosen_sigmas(
    given: Sequence[float] | None, count: int, known: Sequence[float] | None = None
) -> tuple[float, ...]:
    """Return the OKS constants that were given, or the `known` ones, or DeepLabCut's.

    Raises:
        DataError: they are not `count` positive numbers.
    """
    sigmas = tuple(float(s) for s in given or known or [DEFAULT_SIGMA] * count)
    if len(sigmas) != count or not all(0 < s < math.inf for s in sigmas):
        raise DataError(f"sigmas must be {count} positive numbers, one for each keypoint")
    return sigmas
