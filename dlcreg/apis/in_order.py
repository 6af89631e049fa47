"""Videos whose frames are looked at one after the other: a crop, or an animal, is followed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from dlcreg.analysis.tracking import as_tracks
from dlcreg.errors import DataError
from dlcreg.inference import Predictor
from dlcreg.inference.dynamic_crop import CropFollower, DynamicCrop
from dlcreg.inference.following import Conditioned, ConditionedFollower, Follower
from dlcreg.recording import Recording

CONDITIONED = "conditioned"
"""The name, where a tracker is asked for, of what a model with a condition does itself."""


CTD = "ctd"
"""The code of its files, see `TRACK_CODES`."""


@dataclass(frozen=True)
class InOrder:
    """How the poses of a frame are found by what the frames before it showed.

    Args:
        follower: makes what does it in a video.
        settings: in plain containers, by which another analysis is told.
        code: of files whose rows are animals, see `TRACK_CODES`; empty: rows are in any order.
        names: of the animals.
    """

    follower: Callable[[], Follower]
    settings: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    names: tuple[str, ...] = ()

    def arranged(self, recording: Recording) -> Recording:
        """Return what was found with a row for each animal, where animals are followed."""
        if not self.code:
            return recording
        if recording.identities is None:  # no animal in any frame
            nobody = np.full(recording.scores.shape[:2], -1)
            recording = replace(recording, identities=nobody)
        tracking = {**self.settings, "animals": len(self.names), "identities": False}
        tracks = as_tracks(recording, self.names)
        tracks.provenance = {**recording.provenance, "tracking": tracking}
        return tracks


def is_conditioned(tracker: Any) -> bool:
    """Return whether a tracker is that of models with a condition, by name or by config."""
    name = tracker.get("type") if isinstance(tracker, Mapping) else tracker
    return isinstance(name, str) and name.lower() == CONDITIONED


def conditioned(tracker: str | Mapping[str, Any], animals: int | None) -> Conditioned:
    """Return how a model with a condition is to follow animals.

    Args:
        tracker: ``conditioned``, or a mapping with that ``type`` and arguments of `Conditioned`.
        animals: how many there are at most, see `Conditioned`.

    Raises:
        DataError: the tracker does not take such an argument.
    """
    options = dict(tracker) if isinstance(tracker, Mapping) else {}
    options.pop("type", None)
    if animals is not None:
        options["max_animals"] = animals
    try:
        return Conditioned(**options)
    except (TypeError, ValueError) as error:
        raise DataError(f"tracker {CONDITIONED}: {error}") from error


def settings_in_order(
    tracker: str | Mapping[str, Any] | None, animals: int | None, crop: DynamicCrop | None
) -> dict[str, Any]:
    """Return `InOrder.settings`, as far as they are known without a model.

    Raises:
        DataError: see `conditioned`.
    """
    if tracker is not None and is_conditioned(tracker):
        return {**asdict(conditioned(tracker, animals)), "tracker": CONDITIONED}
    return {} if crop is None else {"dynamic_crop": asdict(crop)}


def in_order(
    predictor: Predictor, tracker: str | Mapping[str, Any] | None, animals: int | None
) -> InOrder | None:
    """Return how a predictor looks at frames one after the other; None: it does not.

    Args:
        predictor: see `Predictor`.
        tracker: ``conditioned``, or a mapping with that ``type`` and arguments of `Conditioned`.
        animals: how many there are at most, see `Conditioned`.

    Raises:
        DataError: the model cannot follow animals, nobody knows how many there are, or the tracker
            does not take such an argument.
    """
    if tracker is not None and is_conditioned(tracker):
        settings = conditioned(tracker, animals)
        try:
            count = len(ConditionedFollower(predictor, settings).tracks.age)
        except ValueError as error:
            raise DataError(f"tracker {CONDITIONED}: {error}") from error
        known = () if predictor.info.identified else predictor.individuals[:count]
        names = (*known, *(f"individual{i + 1}" for i in range(len(known), count)))
        return InOrder(
            lambda: ConditionedFollower(predictor, settings),
            {**settings_in_order(tracker, animals, None), "max_animals": count},
            CTD,
            names,
        )
    if (crop := predictor.dynamic_crop) is not None:
        return InOrder(lambda: CropFollower(predictor, crop), settings_in_order(None, None, crop))
    return None
