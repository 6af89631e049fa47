"""Decoded frames kept: in memory within a budget, else in files that all workers map."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch.utils.data import get_worker_info

from dlcreg.data.images import read_image

_PREFIX = "dlcreg-frames-"
_RESERVE = 1 << 30  # bytes of the disk that are never filled


class FrameCache:
    """The frames of a data set, each decoded once.

    The process that owns the cache keeps frames in memory while they fit the budget. A loader's
    worker keeps none of its own, since each worker would hold a copy: it writes the decoded
    frame to a file, which the others, and the next epoch, map into memory. The files go with
    the cache.

    Args:
        paths: image files.
        budget: bytes of memory; None: a quarter of the machine's memory, at most 4 GiB.
            0 keeps nothing, neither in memory nor in files.
        folder: where the folder of mapped files is made; the system's temporary folder by default.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        budget: int | None = None,
        folder: str | Path | None = None,
    ) -> None:
        self.paths = [str(path) for path in paths]
        self.budget = _default_budget() if budget is None else budget
        base = Path(folder or tempfile.gettempdir())
        self.folder = base / f"{_PREFIX}{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self._frames: dict[int, np.ndarray] = {}
        self._used = 0
        self._full = False
        self._disk = self.budget > 0
        self._adopt()

    def _adopt(self) -> None:
        """Make this process the one that removes the files."""
        self._finalizer = weakref.finalize(self, _remove, self.folder, os.getpid())

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        """Return frame `index`, uint8 ``(H, W, 3)`` RGB, not to be written to.

        Raises:
            DataError: the image cannot be read.
        """
        frame = self._frames.get(index)
        if frame is not None:
            return frame
        in_worker = get_worker_info() is not None
        file = self.folder / f"{index}.npy"
        if self._disk and (in_worker or self._full):
            with contextlib.suppress(OSError, ValueError):  # not there yet, or swept away
                return np.load(file, mmap_mode="r")
        frame = read_image(self.paths[index])
        frame.flags.writeable = False
        if not in_worker and self._used + frame.nbytes <= self.budget:
            self._frames[index] = frame
            self._used += frame.nbytes
        elif self._disk:
            self._full = True
            self._store(file, frame)
        return frame

    def _store(self, file: Path, frame: np.ndarray) -> None:
        partial = file.with_suffix(f".{os.getpid()}.part")
        try:
            if not self.folder.is_dir():
                _sweep(self.folder.parent)
                self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < _RESERVE + frame.nbytes:
                self._disk = False
                return
            with partial.open("wb") as out:
                np.save(out, frame)
            partial.replace(file)  # whole or not at all: another worker may look at any moment
        except OSError:
            self._disk = False  # a full or read-only disk costs speed, not the run
            with contextlib.suppress(OSError):
                partial.unlink()

    def __getstate__(self) -> dict:
        """A spawned worker gets the paths and the folder, not the frames."""
        state = {k: v for k, v in self.__dict__.items() if k != "_finalizer"}
        return {**state, "_frames": {}, "_used": 0, "_full": False}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)


def _default_budget() -> int:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        total = 8 << 30
    return min(total // 4, 4 << 30)


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker inherits the finalizer, not the duty
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(base: Path) -> None:
    """Remove what killed runs left behind: folders whose process is gone."""
    if os.name == "nt":  # there, signal 0 is Ctrl-C and not a question
        return
    for folder in base.glob(f"{_PREFIX}*-*"):
        pid = folder.name[len(_PREFIX) :].partition("-")[0]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError):
            continue
