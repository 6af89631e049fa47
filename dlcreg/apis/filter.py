"""From a result file to one whose poses are filtered over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlcreg.analysis.filters import Method, filtered
from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.reading import read_recording
from dlcreg.errors import DlcregError

MARK = "_filtered"
"""What the names of DeepLabCut's filtered files end with."""


def filter_result(
    result: str | Path,
    method: Method = "median",
    window: int = 5,
    *,
    pcutoff: float = 0.0,
    max_gap: int | None = None,
    ar: int = 3,
    ma: int = 1,
    formats: Sequence[str] = ("h5", "csv"),
    out: str | Path | None = None,
) -> list[Path]:
    """Filter the poses of a result file, and return the files ``<name>_filtered`` that it became.

    Args:
        result: a file that `read_recording` reads; left as it is.
        method: see `dlcreg.analysis.filters.filtered`, as the rest.
        window: frames, odd.
        pcutoff: likelihood below which a point counts as not found.
        max_gap: longest gap that is filled, in frames; None: `window`.
        ar: order of the autoregression of ``arima``.
        ma: order of its moving average.
        formats: names of writers, see `build_writer`.
        out: folder of the files; None: that of the result.

    Raises:
        DataError: the result cannot be read, is filtered already, or is not tracked.
        DlcregError: an argument is out of range, there is no such format, or a file cannot be
            written.
    """
    result = Path(result)
    if result.stem.endswith(MARK):
        raise DlcregError(f"{result} is filtered already: give the file that it was made of")
    writers = [build_writer(name) for name in formats]
    options = {"pcutoff": pcutoff, "max_gap": max_gap, "ar": ar, "ma": ma}
    recording = filtered(read_recording(result), method, window, **options)  # type: ignore[arg-type]
    folder = result.parent if out is None else Path(out)
    written = []
    for writer in writers:
        path = folder / f"{result.stem}{MARK}{writer.suffix}"
        writer.write(recording, path)
        written.append(path)
    return written
