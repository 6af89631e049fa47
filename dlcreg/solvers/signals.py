"""Ctrl-C and SIGTERM: the run ends at the next safe point, after it has saved itself."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from dlcreg.errors import DlcregError


class TrainingInterrupted(DlcregError):
    """A run was told to stop and has saved itself.

    Args:
        message: what happened and how to go on.
        signum: the signal; the shell's exit status for it is ``128 + signum``.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum


class StopSignals:
    """Notes SIGINT and SIGTERM while it is entered, instead of dying of them.

    A second Ctrl-C interrupts at once. Outside the main thread, where Python allows no signal
    handlers, it notes nothing.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        self.received = None
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
