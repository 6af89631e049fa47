"""The journal of an analysis: what was found so far, in a file that bears being broken off."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.analysis.differences import differences
from dlcreg.errors import DlcregError

_MAGIC = b"dlcreg journal 1\n"
_HEAD = struct.Struct("<II")  # length and CRC-32 of what follows
_SYNC = 3.0  # seconds between two waits for the disk

Chunk = Mapping[str, np.ndarray]


class Journal:
    """An append-only file: a header that says what is done, then chunks of arrays, then an end.

    Each of them is written with its length and checksum. What a process leaves half-written when
    it dies, or when the disk is full, is cut off by the next one.

    Args:
        path: the file; made where it is missing.
        header: what is done and with what, in containers that JSON knows.

    Raises:
        DlcregError: the file belongs to something else, or cannot be written.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path, self.frames, self.is_complete = path, 0, False
        self._synced = time.monotonic()
        text = json.dumps(dict(header), sort_keys=True).encode()
        end = len(_MAGIC)
        if self._is_begun():
            for kind, payload, place in _records(path):
                end = place
                if kind == b"H" and payload != text:
                    raise DlcregError(_of_another(path, json.loads(payload), json.loads(text)))
                if kind == b"C":
                    self.frames += len(_arrays(payload)["times"])
                self.is_complete |= kind == b"E"
        try:
            self._file = path.open("r+b" if path.exists() else "x+b", buffering=0)
            if end == len(_MAGIC):
                self._file.truncate(0)
                self._write(_MAGIC)
                self._append(b"H", text)
            else:
                self._file.truncate(end)
                self._file.seek(end)
        except OSError as error:
            raise self._failed(error) from error

    def append(self, chunk: Chunk) -> None:
        """Add what was found in the next frames.

        Args:
            chunk: arrays, among them ``times`` with one entry a frame.

        Raises:
            DlcregError: it cannot be written; what was added before stays.
        """
        buffer = io.BytesIO()
        np.savez(buffer, **chunk)  # type: ignore[arg-type]
        self._append(b"C", buffer.getvalue())
        self.frames += len(chunk["times"])

    def complete(self) -> None:
        """Note that there are no more frames."""
        self._append(b"E", b"")
        self._sync()
        self.is_complete = True

    def chunks(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the chunks in order."""
        for kind, payload, _ in _records(self.path):
            if kind == b"C":
                yield _arrays(payload)

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()

    def remove(self) -> None:
        """Close the file and remove it."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _is_begun(self) -> bool:
        """Whether the file is a journal with a whole header."""
        if not self.path.is_file():
            return False
        with self.path.open("rb") as file:
            start = file.read(len(_MAGIC))
        if start and not _MAGIC.startswith(start):
            raise DlcregError(f"{self.path} is no journal of dlcreg: remove it")
        return start == _MAGIC

    def _append(self, kind: bytes, payload: bytes) -> None:
        data = kind + payload
        place = self._file.tell()
        try:
            self._write(_HEAD.pack(len(data), zlib.crc32(data)) + data)
            if time.monotonic() - self._synced > _SYNC:
                self._sync()
        except OSError as error:
            raise self._failed(error, place) from error

    def _write(self, data: bytes) -> None:
        """Write all of it: a call may write less, and fails only when it can write nothing."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _failed(self, error: OSError, place: int | None = None) -> DlcregError:
        kept = f" {self.frames} frames are kept in it: the same command goes on." if place else ""
        return DlcregError(f"{self.path} cannot be written: {error.strerror or error}.{kept}")


def _records(path: Path) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield kind, content and end in the file of each record, up to the first broken one."""
    with path.open("rb") as file:
        file.seek(len(_MAGIC))
        while True:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return
            length, checksum = _HEAD.unpack(head)
            data = file.read(length)
            if len(data) < length or zlib.crc32(data) != checksum:
                return
            yield data[:1], data[1:], file.tell()


def _arrays(payload: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
        return dict(arrays)


def _of_another(path: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    return (
        f"{path} keeps an analysis that was broken off, made with {differences(theirs, ours)}: "
        "go on as it was begun, or throw it away (--overwrite)"
    )
