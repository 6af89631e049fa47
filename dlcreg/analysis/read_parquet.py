"""Our own parquet tables to a `Recording`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.analysis.extras import needed
from dlcreg.analysis.facts import with_facts
from dlcreg.analysis.writers.parquet import OWN
from dlcreg.errors import DataError
from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo


def read_parquet(path: Path) -> Recording:
    """Return the poses of a table that `ParquetWriter` wrote, without boxes and identity scores.

    Raises:
        DataError: it is damaged, or was not written by dlcreg.
        DlcregError: pyarrow is not installed.
    """
    pa = needed("pyarrow", "pyarrow", "parquet")
    parquet = needed("pyarrow.parquet", "pyarrow", "parquet")
    try:
        table = parquet.read_table(path)
        facts = json.loads((table.schema.metadata or {})[OWN])
        return _of_table(table, facts, path)
    except KeyError as error:
        raise DataError(
            f"{path} was not written by dlcreg: parquet tables of poses have no common form"
        ) from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as a table of poses: {error}") from error


def parquet_facts(path: Path) -> dict[str, Any] | None:
    """Return what a table says of itself, without reading it; None: it is none of ours.

    Raises:
        DataError: it is damaged.
        DlcregError: pyarrow is not installed.
    """
    pa = needed("pyarrow", "pyarrow", "parquet")
    parquet = needed("pyarrow.parquet", "pyarrow", "parquet")
    try:
        text = (parquet.read_schema(path).metadata or {}).get(OWN)
        return None if text is None else dict(json.loads(text))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _of_table(table: Any, facts: dict[str, Any], path: Path) -> Recording:
    info = facts["info"]
    n, k = facts["rows"], len(info["keypoint_names"])
    u = len(info["unique"]["keypoint_names"]) if info["unique"] else 0
    each = n * k + u
    frames = table.num_rows // each if each else 0
    points = np.stack([_column(table, name) for name in ("x", "y", "likelihood")], axis=-1)
    points = points.astype(np.float32).reshape(frames, each, 3)
    animals = points[:, : n * k].reshape(frames, n, k, 3)
    scores = _column(table, "instance_score").reshape(frames, each)[:, : n * k]
    times = _column(table, "time").reshape(frames, each)[:, :1].ravel()
    recording = Recording(
        keypoints=np.ascontiguousarray(animals[..., :2]),
        scores=np.ascontiguousarray(animals[..., 2]),
        instance_scores=np.ascontiguousarray(scores.reshape(frames, n, k)[..., 0])
        if k
        else np.zeros((frames, n), np.float32),
        info=DatasetInfo(()),
        unique=np.ascontiguousarray(points[:, n * k :]) if u else None,
        times=None if np.isnan(times).any() else times,
    )
    recording = with_facts(recording, facts, path)
    identities = _identities(table, recording, frames, each)
    return replace(recording, identities=identities)


def _column(table: Any, name: str) -> np.ndarray:
    """Return a column of floats, NaN for null."""
    values: np.ndarray = table[name].to_numpy()
    return values


def _identities(table: Any, recording: Recording, frames: int, each: int) -> np.ndarray | None:
    """Return who animals are where the table says so of a recording that is not tracked."""
    n, k = recording.keypoints.shape[1:3]
    names = {name: i for i, name in enumerate(recording.individuals)}
    if recording.tracked or not names or n == 1 or not k:
        return None
    column = table["individual"].combine_chunks()
    known = [names.get(name, -1) for name in column.dictionary.to_pylist()]
    index = column.indices.fill_null(len(known)).to_numpy()
    who = np.array([*known, -1], np.int64)[index].reshape(frames, each)
    who = who[:, : n * k].reshape(frames, n, k)[..., 0]
    return who if (who >= 0).any() else None
