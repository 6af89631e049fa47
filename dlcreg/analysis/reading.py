"""Result files, ours and DeepLabCut's, to a `Recording`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcreg.analysis.read_coco import read_coco
from dlcreg.analysis.read_parquet import parquet_facts, read_parquet
from dlcreg.analysis.read_tables import h5_facts, read_csv, read_h5
from dlcreg.analysis.sidecar import read_sidecar
from dlcreg.errors import DataError
from dlcreg.recording import Recording


def read_recording(path: str | Path, tracked: bool | None = None) -> Recording:
    """Return the poses that a result file holds.

    Read are ``.h5`` and ``.csv`` tables of DeepLabCut (single and multi-animal, with unique body
    parts, tracks, filtered ones, labels) and what our writers of these and of ``.parquet`` wrote,
    which comes back as it was: poses, names, video and provenance, of h5 all other arrays, too.
    COCO's results (``.json``) are read where images are numbers of frames; they are rounded, and
    no tracks.

    What a foreign table does not say is chosen so: instance scores are the mean likelihood of the
    keypoints that were found; rows are tracks if the table's key is ``tracks`` or the file name
    ends with the mark of a tracker (``_el``, ``_bx``, ``_sk``, ``_ctd``, ``_tr``, ``_tracks``,
    before ``_filtered``); frames that the index leaves out are not readable; the images of a table
    of labels are its frames, in order, and ``provenance["images"]`` names them.

    Args:
        path: the file.
        tracked: whether its rows are the same animal in all frames, where you know better.

    Raises:
        DataError: it is not there, damaged, of another kind, or no table of poses.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path} cannot be read: poses are read from {', '.join(_READERS)}, not from "
            f"{path.suffix or 'a file without suffix'}"
        )
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    recording = reader(path)
    return recording if tracked is None else replace(recording, tracked=tracked)


def read_facts(path: Path) -> dict[str, Any] | None:
    """Return what a result file says of itself, see `dlcreg.analysis.facts.facts_of`.

    Its poses are not read. None: it says nothing that we could read, or another program has
    written it since.

    Raises:
        DataError: it is damaged.
    """
    facts: dict[str, Any] | None = _FACTS.get(path.suffix.lower(), read_sidecar)(path)
    return facts


_READERS: dict[str, Callable[[Path], Recording]] = {
    ".h5": read_h5,
    ".csv": read_csv,
    ".json": read_coco,
    ".parquet": read_parquet,
}

_FACTS: dict[str, Callable[[Path], dict[str, Any] | None]] = {
    ".h5": h5_facts,
    ".parquet": parquet_facts,
}
