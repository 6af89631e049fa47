"""Result files from one format to others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.reading import read_recording
from dlcreg.errors import DlcregError


def convert(
    results: Iterable[str | Path],
    formats: Sequence[str],
    out: str | Path | None = None,
    tracked: bool | None = None,
    scorer: str | None = None,
) -> dict[Path, list[Path]]:
    """Write results in other formats, beside them or in another folder, under the same names.

    Args:
        results: files that `read_recording` reads.
        formats: see `dlcreg.analysis.formats.build_writer`.
        out: folder to write into; by default that of each result.
        tracked: whether rows are the same animal in all frames, where the files do not say so.
        scorer: name of what found the poses, where another is wanted.

    Returns:
        for each result the files that were written; formats that are not made for its poses are
        left out.

    Raises:
        DlcregError: a file cannot be read or written, or would be written over itself, or a format
            is not known. What was written before stays.
    """
    writers = [build_writer(name) for name in formats]
    written: dict[Path, list[Path]] = {}
    for source in map(Path, results):
        recording = read_recording(source, tracked)
        if scorer:
            recording = replace(recording, scorer=scorer)
        targets = []
        for writer in writers:
            target = Path(out or source.parent) / f"{source.stem}{writer.suffix}"
            if target.exists() and target.samefile(source):
                raise DlcregError(f"{source} would be written over itself; give another folder")
            if writer.can_write(recording):
                writer.write(recording, target)
                targets.append(target)
        written[source] = targets
    return written
