"""The file beside a table that says what made it, for formats without a place for that."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

from dlcreg.analysis.facts import facts_text
from dlcreg.errors import DataError
from dlcreg.files import write_text
from dlcreg.recording import Recording

OWN = "dlcreg"
"""The key of the facts, see `dlcreg.analysis.facts.facts_of`."""

_CHUNK = 1 << 20


def sidecar_path(path: Path) -> Path:
    """Return the path of the file that describes a table.

    >>> sidecar_path(Path("clip.csv")).name
    'clip.csv-metadata.json'
    """
    return path.with_name(f"{path.name}-metadata.json")


def write_sidecar(recording: Recording, content: Path, path: Path) -> None:
    """Write the file beside `path` that describes what lies in `content`, whole or not at all.

    It holds the sum of the table's bytes: a table that another program has written since is not
    taken for ours.

    Args:
        recording: what the table holds.
        content: the table, complete, under the name that it has now.
        path: the name that it is to have.
    """
    text = json.dumps(
        {
            "@context": "http://www.w3.org/ns/csvw",
            "url": path.name,
            "crc32": _crc(content),
            OWN: json.loads(facts_text(recording)),
        },
        indent=1,
    )
    write_text(sidecar_path(path), text + "\n")


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """Return the facts of a table; None where there are none, or of another table.

    Raises:
        DataError: a file that should describe it cannot be read.
    """
    beside = sidecar_path(path)
    if not beside.is_file():
        return None
    try:
        content = json.loads(beside.read_text(encoding="utf-8"))
        same = content["crc32"] == _crc(path)
        facts: dict[str, Any] = content[OWN]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{beside} cannot be read: {error!r}. Delete it to read {path.name} alone"
        ) from error
    return facts if same else None


def _crc(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total = zlib.crc32(chunk, total)
    return total
