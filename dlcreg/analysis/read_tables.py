"""DeepLabCut's h5 and csv tables to a `Recording`."""

from __future__ import annotations

import csv
import json
import pickle
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.analysis.facts import with_facts
from dlcreg.analysis.paths import is_track_name
from dlcreg.analysis.sidecar import read_sidecar
from dlcreg.analysis.tables import MULTI_LEVELS, recording_of
from dlcreg.analysis.writers.h5 import EXTRAS
from dlcreg.data.labels import forward_slashes
from dlcreg.errors import DataError
from dlcreg.recording import Recording


def read_h5(path: Path) -> Recording:
    """Return the poses of an h5 table, see `dlcreg.analysis.reading.read_recording`.

    Raises:
        DataError: it is damaged or no table of poses.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how old pandas stored things
            with pd.HDFStore(path, "r") as store:
                keys = [group._v_pathname for group in store.groups()]
                frame = store.get(keys[0]) if len(keys) == 1 else None
                own = _own(store._handle)
    except (pickle.UnpicklingError, Exception) as error:  # HDF5 has errors of many kinds
        raise DataError(f"{path} cannot be read as a table of poses: {_fault(error)}") from error
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{path} holds {len(keys)} tables of pandas; one of poses is wanted")
    levels = [str(name) for name in frame.columns.names]
    columns = [tuple(map(str, np.atleast_1d(column))) for column in frame.columns]
    try:
        values = frame.to_numpy(copy=False)
        if values.dtype.kind not in "fiu":
            values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: what should be a number is not: {error}") from error
    index = [entry if isinstance(entry, tuple) else (entry,) for entry in frame.index]
    recording = _of_rows(path, levels, columns, index, values)
    if own is not None:
        facts, extras = own
        recording = with_facts(recording, facts, path)
        return _with_extras(recording, extras, path)
    return replace(recording, tracked=keys[0] == "/tracks" or _named_track(path, levels))


def read_csv(path: Path) -> Recording:
    """Return the poses of a csv table, see `dlcreg.analysis.reading.read_recording`.

    Raises:
        DataError: it is damaged or no table of poses.
    """
    import pandas as pd

    head = _header(path)
    levels = [row[0] for row in head]
    if not head:
        raise DataError(f"{path} is no table of poses: its first cell is not 'scorer'")
    if len({len(row) for row in head}) > 1:
        raise DataError(f"{path}: its header rows have different lengths")
    # the index of labels has three columns, whose header cells are empty but for the first
    first = next((i for i, cell in enumerate(head[-1][1:], start=1) if cell), len(head[0]))
    columns = list(zip(*(row[first:] for row in head), strict=True))
    width = len(head[0])
    try:
        frame = pd.read_csv(
            path,
            header=None,
            skiprows=len(head),
            names=list(range(width)),
            index_col=False,
            dtype={**dict.fromkeys(range(first), str), **dict.fromkeys(range(first, width), float)},
            encoding="utf-8-sig",
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table of poses: {error}") from error
    index = list(zip(*(frame[i] for i in range(first)), strict=True))
    values = frame.iloc[:, first:].to_numpy(np.float64)
    recording = _of_rows(path, levels, columns, index, values)
    facts = read_sidecar(path)
    if facts is not None:
        return with_facts(recording, facts, path)
    return replace(recording, tracked=_named_track(path, levels))


def _header(path: Path) -> list[list[str]]:
    head = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.reader(file):
                if not row or row[0] not in MULTI_LEVELS:
                    break
                head.append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table of poses: {error}") from error
    return head


def _named_track(path: Path, levels: Sequence[str]) -> bool:
    return "individuals" in levels and is_track_name(path.stem)


def h5_facts(path: Path) -> dict[str, Any] | None:
    """Return what an h5 table says of itself, without reading it; None: it is none of ours.

    Raises:
        DataError: it is damaged.
    """
    import tables

    try:
        with tables.open_file(path) as file:
            return _facts(file) if "/dlcreg/facts" in file else None
    except (OSError, ValueError, tables.HDF5ExtError) as error:
        raise DataError(f"{path} cannot be read: {_fault(error)}") from error


def _of_rows(
    path: Path,
    levels: Sequence[str],
    columns: Sequence[Sequence[str]],
    index: Sequence[tuple],
    values: np.ndarray,
) -> Recording:
    """Return the recording of a table whose rows are frames by number, or images by name."""
    try:
        frames = np.array([int(*entry) for entry in index], np.int64)
    except (TypeError, ValueError):
        names = [
            forward_slashes("/".join(str(part) for part in entry if str(part))) for entry in index
        ]
        recording = recording_of(levels, columns, values, str(path))
        return replace(recording, provenance={"images": names})
    if np.array_equal(frames, np.arange(len(frames))):
        return recording_of(levels, columns, values, str(path))
    if len(np.unique(frames)) < len(frames) or frames.min() < 0:
        raise DataError(f"{path} has the row of a frame twice, or one of a frame before the first")
    placed = np.full((int(frames.max()) + 1, values.shape[1]), np.nan, values.dtype)
    placed[frames] = values
    readable = np.zeros(len(placed), bool)
    readable[frames] = True
    return replace(recording_of(levels, columns, placed, str(path)), readable=readable)


def _own(file: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the facts and arrays that our writer put beside the table."""
    if "/dlcreg/facts" not in file:
        return None
    facts = _facts(file)
    nodes = [file.get_node(f"/dlcreg/{name}") for name in EXTRAS if f"/dlcreg/{name}" in file]
    return facts, {node._v_name: node.read().reshape(node._v_attrs["shape"]) for node in nodes}


def _facts(file: Any) -> dict[str, Any]:
    return dict(json.loads(file.get_node("/dlcreg/facts").read().tobytes().decode()))


def _with_extras(recording: Recording, extras: dict[str, Any], path: Path) -> Recording:
    for name, values in extras.items():
        if len(values) != len(recording):
            raise DataError(
                f"{path}: {name} has {len(values)} rows, the table {len(recording)}: another "
                "program has changed the table"
            )
    return replace(recording, **extras)


def _fault(error: Exception) -> str:
    """Return the line of an error that says what is wrong: HDF5's is the innermost of a trace."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if "End of HDF5 error back trace" in lines:
        return lines[lines.index("End of HDF5 error back trace") - 1]
    return lines[0] if lines else type(error).__name__
