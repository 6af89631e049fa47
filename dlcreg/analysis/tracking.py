"""From the poses of single frames to a video in which each row is one animal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dlcreg.analysis.interpolation import interpolated
from dlcreg.analysis.short_names import full_name
from dlcreg.analysis.stitching import Costs, stitch
from dlcreg.analysis.tracklets import split_by_votes, tracklets_of, votes_of
from dlcreg.contracts import Tracker
from dlcreg.errors import DataError
from dlcreg.recording import Recording
from dlcreg.registry import TRACKERS
from dlcreg.structures import Poses
from dlcreg.wiring import construct


def track(
    recording: Recording,
    tracker: Tracker | str | Mapping[str, Any] = "sort-ellipse",
    num_animals: int | None = None,
    *,
    identities: bool | None = None,
    costs: Costs | None = None,
    interpolate: int = 0,
) -> Recording:
    """Follow animals through a video: tracklets by a tracker, which stitching joins.

    Args:
        recording: poses in any order. One that is tracked already is tracked anew.
        tracker: one of the registry TRACKERS, see `build_tracker`.
        num_animals: how many there are at most; None: as many individuals as have names, else
            the most that the data had in an image.
        identities: animals are named by what the model says of who they are, and stitching looks
            at it (see `votes_of`); None: if the model says anything.
        costs: of stitching; None for those by default.
        interpolate: frames of the longest gap in a keypoint's track that is filled by a straight
            line; what is filled in has the likelihood 0. Gaps in which a frame could not be read
            are left.

    Returns:
        a recording of the same frames, with a row for each animal: those of the individuals in
        their order where the model says who is who. `Recording.identities` are None, for they are
        the rows; what was found of no animal is left out.

    Raises:
        DataError: identities are asked for, and the model says nothing of them.
        PluginError, ConfigError: the tracker cannot be built.
        ValueError: a number out of range.
    """
    if interpolate < 0:
        raise ValueError(f"interpolate={interpolate}: give 0 or more frames")
    votes = None if identities is False else votes_of(recording)
    if identities and votes is None:
        raise DataError("the recording does not say who is who: track it with identities=None")
    if votes is not None:
        names = recording.individuals or recording.info.individuals
    else:
        recording = replace(recording, identities=None, identity_scores=None)
        names = () if recording.info.identified else recording.info.individuals
    count = num_animals or len(names) or recording.info.num_individuals
    if num_animals is not None and num_animals < 1:
        raise ValueError(f"num_animals={num_animals}: give 1 or more")
    built = build_tracker(tracker, recording)
    numbers = tracklet_numbers(recording, built)
    if votes is not None:
        numbers = split_by_votes(numbers, votes)
    tracklets = tracklets_of(recording, numbers)
    animals = stitch(tracklets, count, costs)
    by_number = np.full(int(numbers.max(initial=-1)) + 2, -1)  # the last one is for -1
    by_number[tracklets.numbers] = animals
    known = max(count, 0 if votes is None else len(names))
    names = (*names[:known], *(f"individual{i + 1}" for i in range(len(names), known)))
    facts = {"tracker": type(built).__name__, "animals": count, "identities": votes is not None}
    tracked = arranged(recording, by_number[numbers], names)
    tracked.provenance = {**recording.provenance, "tracking": {**facts, "interpolate": interpolate}}
    return interpolated(tracked, interpolate)


def tracker_names() -> dict[str, str]:
    """Return the trackers that are known, by short name: ``sort-pose`` for ``SortPose``."""
    return {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", one).lower(): one for one in TRACKERS.names()}


def build_tracker(tracker: Tracker | str | Mapping[str, Any], recording: Recording) -> Tracker:
    """Return a tracker for a recording.

    Args:
        tracker: one that is built already; its name, short or as a config writes it; or its config.
        recording: gives the values that are wired.

    Raises:
        PluginError, ConfigError: there is none, or it does not take these options.
    """
    config = {"type": tracker} if isinstance(tracker, str) else tracker
    if isinstance(config, Mapping) and isinstance(name := config.get("type"), str):
        config = {**config, "type": full_name("tracker", name, tracker_names())}
    made: Tracker = construct(TRACKERS, config, recording.info.wiring(), "tracker")
    return made


def tracklet_numbers(recording: Recording, tracker: Tracker) -> np.ndarray:
    """Return the number that a tracker gives each pose of a video, int64 ``(F, N)``."""
    numbers = np.full(recording.scores.shape[:2], -1)
    tracker.reset(recording.info)
    readable = recording.readable
    for frame, poses in enumerate(poses_of(recording)):
        if readable is None or readable[frame]:
            identities = tracker.update(poses, frame).identities
            if identities is not None:
                numbers[frame] = identities[0].numpy()
    numbers[~recording.valid] = -1
    return numbers


def poses_of(recording: Recording) -> Iterator[Poses]:
    """Yield the poses of each frame, B = 1; their tensors are views of the recording's arrays."""
    valid = recording.valid
    names = ("boxes", "identities", "identity_scores")
    optional: dict[str, np.ndarray] = {
        name: value for name in names if (value := getattr(recording, name)) is not None
    }
    for frame in range(len(recording)):
        poses = Poses(
            keypoints=torch.from_numpy(recording.keypoints[frame, None]),
            scores=torch.from_numpy(recording.scores[frame, None]),
            instance_scores=torch.from_numpy(recording.instance_scores[frame, None]),
            valid=torch.from_numpy(valid[frame, None]),
        )
        for name, value in optional.items():
            setattr(poses, name, torch.from_numpy(value[frame, None]))
        yield poses


def as_tracks(recording: Recording, names: Sequence[str] = ()) -> Recording:
    """Return a recording whose poses say which animal they are, with a row for each animal.

    So conditioned tracking (`Predictor.track`), which numbers animals itself, gives the same kind
    of recording as a tracker.

    Args:
        recording: with identities; poses without one are left out.
        names: of the animals that identities count; empty: ``individual1`` and so on.

    Raises:
        DataError: the recording has no identities.
    """
    if recording.identities is None:
        raise DataError("the recording does not say which animal a pose is")
    count = max(len(names), int(recording.identities.max(initial=-1)) + 1)
    names = (*names, *(f"individual{i + 1}" for i in range(len(names), count)))
    return arranged(recording, np.where(recording.valid, recording.identities, -1), names)


def arranged(recording: Recording, animals: np.ndarray, names: tuple[str, ...]) -> Recording:
    """Return a tracked recording with a row for each of A animals.

    Args:
        recording: poses in any order.
        animals: int64 ``(F, N)``, the row of each pose, each once in a frame; -1 for those that
            are left out.
        names: of the A animals.
    """
    frames, rows = np.nonzero(animals >= 0)
    places = frames, animals[frames, rows]

    def moved(values: np.ndarray, empty: float) -> np.ndarray:
        shape = (len(recording), len(names), *values.shape[2:])
        result = np.full(shape, empty, values.dtype)
        result[places] = values[frames, rows]
        return result

    votes = recording.identity_scores
    return replace(
        recording,
        keypoints=moved(recording.keypoints, np.nan),
        scores=moved(recording.scores, 0),
        instance_scores=moved(recording.instance_scores, 0),
        boxes=None if recording.boxes is None else moved(recording.boxes, np.nan),
        identity_scores=None if votes is None else moved(votes, 0),
        identities=None,
        tracked=True,
        individuals=names,
    )
