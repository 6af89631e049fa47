"""How far an analysis is: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from dlcreg.solvers.console import Clock

_LINES = 15.0  # seconds between two lines


class Progress:
    """Frames a second and the time that remains.

    Args:
        name: of the video.
        total: how many frames it has; None: nobody knows.
        say: takes lines, where there is no terminal.
    """

    def __init__(self, name: str, total: int | None, say: Callable[[str], None]) -> None:
        self.name, self.total, self.say = name, total, say
        self._began, self._start, self._clock = time.perf_counter(), 0, Clock(_LINES)
        self._bar: Any = None

    def start(self, first: int, stop: int | None, done: int) -> None:
        """Begin.

        Args:
            first: number of the first frame that is asked for.
            stop: number of the one after the last; None: the end of the video.
            done: how many frames are behind already.
        """
        self._began, self._start = time.perf_counter(), done
        if self.total is None or (stop is not None and stop < self.total):
            self.total = stop
        self.total = self.total and max(self.total - first, 0)
        if done:
            self.say(f"{self.name}: goes on at frame {first + done}")
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._bar.add_task(self.name, total=self.total, completed=done, rate="")

    def advance(self, done: int) -> None:
        """Tell that `done` frames are behind."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, rate=self._rate(done))
        elif self._clock.due():
            of = f" of {self.total}" if self.total else ""
            self.say(f"{self.name}: {done}{of} frames, {self._rate(done)}")

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _rate(self, done: int) -> str:
        rate = (done - self._start) / max(time.perf_counter() - self._began, 1e-9)
        text = f"{rate:.1f} frames/s"
        if self.total and rate > 0 and self.total > done:
            seconds = round((self.total - done) / rate)
            text += f", {seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"
        return text
