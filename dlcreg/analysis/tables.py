"""DeepLabCut's table of a video: a row for each frame, three columns for each keypoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dlcreg.errors import DataError, DlcregError
from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo

UNIQUE = "single"
"""The individual under which tables have the unique body parts."""

COORDS = ("x", "y", "likelihood")
SINGLE_LEVELS = ("scorer", "bodyparts", "coords")
MULTI_LEVELS = ("scorer", "individuals", "bodyparts", "coords")
_NAMELESS = ((), ("individual_1",))  # what single-animal projects call their animal
_CHUNK = 4096


@dataclass(frozen=True)
class Layout:
    """The columns of a table.

    Args:
        levels: names of the header rows.
        columns: for each column one name a level.
        animals: number of animals that have columns; at least as many as the recording has rows.
    """

    levels: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    animals: int


def row_names(recording: Recording) -> tuple[str, ...]:
    """Return a name for each row N of a recording, and for each animal beyond those.

    The rows of a recording that is not tracked are named in the order of the individuals, as
    DeepLabCut does, without a claim that they are these. Rows beyond get names of their own.
    """
    names = list(recording.individuals or recording.info.individuals)
    number = len(names)
    while len(names) < recording.keypoints.shape[1]:
        number += 1
        if f"individual{number}" not in names:
            names.append(f"individual{number}")
    return tuple(names)


def is_single(recording: Recording) -> bool:
    """Return whether a recording is of one animal that has no name, as in most projects."""
    names = recording.individuals or recording.info.individuals
    return recording.keypoints.shape[1] <= 1 and names in _NAMELESS and recording.unique is None


def layout_of(recording: Recording) -> Layout:
    """Return the columns that DeepLabCut's tools expect for a recording.

    Raises:
        DlcregError: an individual has the name that is kept for the unique body parts.
    """
    scorer, parts = recording.scorer, recording.info.keypoint_names
    if is_single(recording):
        keys = [(scorer, part, coord) for part in parts for coord in COORDS]
        return Layout(SINGLE_LEVELS, tuple(keys), 1)
    names = row_names(recording)
    columns = [(scorer, name, part, coord) for name in names for part in parts for coord in COORDS]
    if recording.unique is not None and recording.info.unique is not None:
        if UNIQUE in names:
            raise DlcregError(
                f"no individual can be called {UNIQUE!r} in DeepLabCut's tables, which have the "
                "unique body parts under this name; give it another one in the project"
            )
        unique = recording.info.unique.keypoint_names
        columns += [(scorer, UNIQUE, part, coord) for part in unique for coord in COORDS]
    return Layout(MULTI_LEVELS, tuple(columns), len(names))


def blocks(recording: Recording, layout: Layout) -> Iterator[np.ndarray]:
    """Yield the table's values, float32 ``(f, columns)`` for some frames after another.

    All three values of an animal that was not found are NaN, and so are all of a frame that could
    not be read; a keypoint that was not found of an animal that was has NaN for x and y, and its
    likelihood.
    """
    for start in range(0, len(recording), _CHUNK):
        part = slice(start, start + _CHUNK)
        keypoints = recording.keypoints[part]
        f, n, k = keypoints.shape[:3]
        values = np.full((f, layout.animals, k, 3), np.nan, np.float32)
        values[:, :n, :, :2] = keypoints
        there = np.isfinite(keypoints).all(axis=-1).any(axis=-1)
        values[:, :n, :, 2] = np.where(there[..., None], recording.scores[part], np.nan)
        table = values.reshape(f, layout.animals * k * 3)
        if recording.unique is not None:
            unique = recording.unique[part].astype(np.float32).reshape(f, -1)
            table = np.concatenate([table, unique], axis=1)
        if recording.readable is not None:
            table[~recording.readable[part]] = np.nan
        yield table


def recording_of(
    levels: Sequence[str], columns: Sequence[Sequence[str]], values: np.ndarray, source: str
) -> Recording:
    """Return the recording that a table holds, not tracked.

    Both of DeepLabCut's signs for what is missing are understood: NaN, and -1 for all three values.
    Tables without a likelihood, such as labels, have 1 where there are coordinates.

    Args:
        levels: names of the header rows.
        columns: one name a level for each column.
        values: float ``(F, columns)``.
        source: the file, for messages.

    Raises:
        DataError: the header is that of no such table.
    """
    if tuple(levels) not in (SINGLE_LEVELS, MULTI_LEVELS):
        raise DataError(
            f"{source} is no table of poses: the header rows are scorer, [individuals,] bodyparts, "
            f"coords; this one has {', '.join(map(str, levels)) or 'none'}"
        )
    multi = len(levels) == 4
    keys = {(c[1] if multi else "", c[-2], c[-1]): i for i, c in enumerate(columns)}
    if len(keys) < len(columns):
        raise DataError(f"{source} has a column twice, or the poses of several scorers")
    animals = _in_order(name for name, _, _ in keys if not (multi and name == UNIQUE))
    parts = _in_order(part for name, part, _ in keys if not (multi and name == UNIQUE))
    unique_parts = _in_order(part for name, part, _ in keys if multi and name == UNIQUE)
    points = _arranged(keys, values, animals, parts)
    scores = points[..., 2]
    keypoints = np.ascontiguousarray(points[..., :2])
    unique = _arranged(keys, values, (UNIQUE,), unique_parts)[:, 0] if unique_parts else None
    there = np.isfinite(keypoints).all(axis=-1)
    info = DatasetInfo(
        keypoint_names=parts,
        num_individuals=max(len(animals), 1),
        individuals=animals if multi else (),
        unique=DatasetInfo(unique_parts) if unique_parts else None,
    )
    return Recording(
        keypoints=keypoints,
        scores=np.ascontiguousarray(scores),
        instance_scores=mean_scores(scores, there),
        info=info,
        individuals=info.individuals,
        unique=unique,
        scorer=str(columns[0][0]) if len(columns) else "",
    )


def mean_scores(scores: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return for each animal the mean likelihood of its keypoints that were found, else 0."""
    total = np.where(found, scores, 0).sum(axis=-1, dtype=np.float32)
    mean: np.ndarray = total / np.maximum(found.sum(axis=-1), 1)
    return mean.astype(np.float32)


def _in_order(names: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _arranged(
    keys: dict[tuple[str, str, str], int],
    values: np.ndarray,
    animals: Sequence[str],
    parts: Sequence[str],
) -> np.ndarray:
    """Return x, y, likelihood, float32 ``(F, N, K, 3)``."""
    points = np.full((len(values), len(animals), len(parts), 3), np.nan, np.float32)
    for a, animal in enumerate(animals):
        for p, part in enumerate(parts):
            for c, coord in enumerate(COORDS):
                column = keys.get((animal, part, coord))
                if column is not None:
                    points[:, a, p, c] = values[:, column]
            if (animal, part, "likelihood") not in keys:
                points[:, a, p, 2] = np.isfinite(points[:, a, p, :2]).all(axis=-1)
    points[points[..., 2] < 0] = np.nan
    points[..., 2] = np.nan_to_num(points[..., 2])
    half = ~np.isfinite(points[..., :2]).all(axis=-1)
    points[..., :2][half] = np.nan
    return points
