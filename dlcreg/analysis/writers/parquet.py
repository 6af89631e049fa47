"""A tidy parquet table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.analysis.extras import needed
from dlcreg.analysis.facts import facts_text
from dlcreg.contracts import Writer
from dlcreg.files import written_whole
from dlcreg.recording import Recording
from dlcreg.registry import WRITERS

OWN = b"dlcreg"
"""The key of the facts in the schema's metadata."""

_ROWS = 1 << 20  # of a row group
_COMPRESSIONS = ("zstd", "snappy", "gzip", "none")


@WRITERS.register_module()
class ParquetWriter(Writer):
    """A long, tidy table: a row for each keypoint of each animal of each frame.

    It is what polars, pandas, DuckDB, R and plotting libraries group and filter without reshaping.
    Columns: ``frame``; ``time``, seconds, null where it is not known; ``row`` of the animal in its
    frame, null for unique body parts; ``individual``, the animal's name, null where nobody knows
    who it is; ``keypoint``; ``x``, ``y``, pixels, null where it was not found; ``likelihood``; and
    ``instance_score`` of the animal. Rows of a recording that are empty in a frame stay, so that
    every frame has as many. The schema's metadata holds under ``dlcreg`` what made the file, JSON.

    Args:
        compression: ``zstd``, ``snappy``, ``gzip`` or ``none``.

    Raises:
        ValueError: another compression.
    """

    suffix = ".parquet"

    def __init__(self, compression: str = "zstd") -> None:
        if compression not in _COMPRESSIONS:
            raise ValueError(
                f"compression must be one of {', '.join(_COMPRESSIONS)}, not {compression!r}"
            )
        self.compression = compression

    def write(self, recording: Recording, path: Path) -> None:
        """Write the file; memory does not grow with the video.

        Raises:
            DlcregError: it cannot be written, or pyarrow is not installed.
        """
        pa = needed("pyarrow", "pyarrow", "parquet")
        parquet = needed("pyarrow.parquet", "pyarrow", "parquet")
        schema = _schema(pa, facts_text(recording))
        with (
            written_whole(path) as temporary,
            parquet.ParquetWriter(temporary, schema, compression=self.compression) as file,
        ):
            for columns in _groups(pa, recording):
                file.write_table(pa.table(columns, schema=schema))


def _schema(pa: Any, facts: str) -> Any:
    name = pa.dictionary(pa.int32(), pa.string())
    fields = {
        "frame": pa.int32(),
        "time": pa.float64(),
        "row": pa.int32(),
        "individual": name,
        "keypoint": name,
        "x": pa.float32(),
        "y": pa.float32(),
        "likelihood": pa.float32(),
        "instance_score": pa.float32(),
    }
    return pa.schema(list(fields.items()), metadata={OWN: facts.encode()})


def _groups(pa: Any, recording: Recording) -> Iterator[dict[str, Any]]:
    """Yield the columns of some frames after another: animals by row, then unique parts."""
    n, k = recording.keypoints.shape[1:3]
    u = 0 if recording.unique is None else recording.unique.shape[1]
    each = max(n * k + u, 1)
    frames = max(1, _ROWS // each)
    unique = recording.info.unique.keypoint_names if recording.info.unique else ()
    keypoints = pa.array([*recording.info.keypoint_names, *unique])
    individuals = pa.array(recording.individuals or recording.info.individuals, pa.string())
    row = np.concatenate([np.repeat(np.arange(n), k), np.full(u, -1)])
    part = np.concatenate([np.tile(np.arange(k), n), k + np.arange(u)])
    for start in range(0, len(recording), frames):
        chunk = slice(start, min(start + frames, len(recording)))
        f = chunk.stop - start
        points = np.concatenate([_points(recording, chunk), _unique(recording, chunk)], axis=1)
        score = np.full((f, each), np.nan, np.float32)
        score[:, : n * k] = np.repeat(recording.instance_scores[chunk], k, axis=1)
        who = np.full((f, each), -1)
        who[:, : n * k] = np.repeat(_identities(recording, chunk, len(individuals)), k, axis=1)
        frame = np.repeat(np.arange(start, chunk.stop), each)
        time = None if recording.times is None else np.repeat(recording.times[chunk], each)
        yield {
            "frame": frame.astype(np.int32),
            "time": pa.nulls(f * each, pa.float64()) if time is None else time,
            "row": _nullable(pa, np.tile(row, f).astype(np.int32)),
            "individual": _named(pa, who.ravel(), individuals),
            "keypoint": _named(pa, np.tile(part, f), keypoints),
            "x": _found(pa, points[..., 0]),
            "y": _found(pa, points[..., 1]),
            "likelihood": points[..., 2].ravel(),
            "instance_score": _found(pa, score),
        }


def _points(recording: Recording, chunk: slice) -> np.ndarray:
    """Return x, y, likelihood of the animals' keypoints, float32 ``(f, N * K, 3)``."""
    keypoints, scores = recording.keypoints[chunk], recording.scores[chunk]
    f = len(keypoints)
    points = np.concatenate([keypoints, scores[..., None]], axis=-1).astype(np.float32)
    return points.reshape(f, -1, 3)


def _unique(recording: Recording, chunk: slice) -> np.ndarray:
    if recording.unique is None:
        return np.zeros((chunk.stop - chunk.start, 0, 3), np.float32)
    return recording.unique[chunk].astype(np.float32)


def _identities(recording: Recording, chunk: slice, count: int) -> np.ndarray:
    """Return the index of each animal's name, int64 ``(f, N)``; -1 for those without one."""
    f, n = recording.keypoints[chunk].shape[:2]
    if recording.tracked:
        who = np.broadcast_to(np.arange(n), (f, n))
    elif recording.identities is not None:
        who = recording.identities[chunk]
    elif n == 1 and count == 1:
        who = np.zeros((f, n), np.int64)
    else:
        who = np.full((f, n), -1)
    return np.where(who < count, who, -1)


def _nullable(pa: Any, values: np.ndarray) -> Any:
    return pa.array(values, mask=values < 0)


def _found(pa: Any, values: np.ndarray) -> Any:
    flat = np.ascontiguousarray(values).ravel()
    return pa.array(flat, mask=np.isnan(flat))


def _named(pa: Any, index: np.ndarray, names: Any) -> Any:
    return pa.DictionaryArray.from_arrays(_nullable(pa, index.astype(np.int32)), names)
