"""What a run says: a progress bar in a terminal, plain lines elsewhere, all lines in a file."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

logger = logging.getLogger("dlcreg")


class Console:
    """The voice of a run.

    Args:
        path: file that the lines are appended to, with the time; warnings of dlcreg go there, too.
        verbose: False: the file alone.
    """

    def __init__(self, path: Path | None = None, verbose: bool = True) -> None:
        self._verbose = verbose
        self._file: logging.FileHandler | None = None
        self._progress: Any = None
        self._task: Any = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = logging.FileHandler(path, encoding="utf-8")
            self._file.setLevel(logging.WARNING)
            self._file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            logger.addHandler(self._file)

    def line(self, text: str) -> None:
        """Say a line."""
        if self._file is not None:
            record = logging.LogRecord("dlcreg", logging.INFO, "", 0, text, None, None)
            self._file.handle(record)
        if not self._verbose:
            return
        if self._progress is not None:
            self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            print(text, flush=True)

    @property
    def has_bar(self) -> bool:
        """Whether a progress bar is shown."""
        return self._progress is not None

    def start_progress(self, total: int, done: int) -> None:
        """Show a progress bar, if this is a terminal.

        Args:
            total: steps of the whole run.
            done: steps that are behind.
        """
        if not self._verbose or not sys.stdout.isatty():
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task("training", total=total, completed=done)

    def advance(self, done: int, text: str) -> None:
        """Move the progress bar."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, description=text)

    def close(self) -> None:
        """Take the bar away and close the file."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        if self._file is not None:
            logger.removeHandler(self._file)
            self._file.close()
            self._file = None


class Clock:
    """Says when a while has passed.

    Args:
        seconds: the while.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def due(self) -> bool:
        """Return whether the while has passed since the last time this was so."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True
