"""DeepLabCut's csv tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dlcreg.analysis.sidecar import write_sidecar
from dlcreg.analysis.tables import Layout, blocks, layout_of
from dlcreg.contracts import Writer
from dlcreg.files import written_whole
from dlcreg.recording import Recording
from dlcreg.registry import WRITERS

_DIGITS = 9  # that tell every float32 from its neighbours


@WRITERS.register_module()
class CSVWriter(Writer):
    """DeepLabCut's ``.csv``: the table of `H5Writer` with three or four rows of headers.

    Numbers have as many digits as it takes to read the same float32, and missing ones are empty
    cells, as pandas writes them. What made the file stands beside it, in
    ``<name>.csv-metadata.json``, where the W3C's standard for tables on the web has it: a comment
    in the table would be an error to its readers.
    """

    suffix = ".csv"

    def write(self, recording: Recording, path: Path) -> None:
        """Write the file, and the one that describes it; memory does not grow with the video.

        Raises:
            DlcregError: it cannot be written, or an individual is called ``single``.
        """
        layout = layout_of(recording)
        with written_whole(path) as temporary:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                file.writelines(_header(layout))
                file.writelines(_rows(recording, layout))
            write_sidecar(recording, temporary, path)


def _header(layout: Layout) -> Iterator[str]:
    for level, name in enumerate(layout.levels):
        yield ",".join([name, *(_cell(column[level]) for column in layout.columns)]) + "\n"


def _cell(name: str) -> str:
    """Return a name, in quotes where csv asks for them."""
    if any(mark in name for mark in ',"\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name


def _rows(recording: Recording, layout: Layout) -> Iterator[str]:
    line = ",".join(["%d", *[f"%.{_DIGITS}g"] * len(layout.columns)]) + "\n"
    index = 0
    for values in blocks(recording, layout):
        for row in _shortest(values).tolist():
            yield (line % (index, *row)).replace("nan", "")
            index += 1


def _shortest(values: np.ndarray) -> np.ndarray:
    """Return the float64 with fewest decimals that is the same float32, for each number.

    Nine digits of it are then no more than are needed: 0.1, where the float32 itself would be
    printed as 0.100000001.
    """
    exact = values.astype(np.float64).ravel()
    short = exact.copy()
    where = np.flatnonzero(np.abs(exact) < 1e9)
    for decimals in range(_DIGITS + 1):
        tried = exact[where].round(decimals)
        same = tried.astype(np.float32) == exact[where]
        short[where[same]] = tried[same]
        where = where[~same]
    return short.reshape(values.shape)
