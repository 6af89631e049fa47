"""Claims: which process works on what, on one machine or on several that share a folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import uuid
from pathlib import Path
from typing import Any

from dlcreg.errors import DlcregError

HEARTBEAT = 5.0
"""Seconds between two signs of life."""

STALE = 30.0
"""Seconds without a sign of life after which a claim may be taken over."""


class Claim:
    """A file that says who works on something; a thread touches it as long as this is so.

    Args:
        path: the file.

    Raises:
        DlcregError: the file cannot be made; another process's claim is no error, see `try_claim`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = uuid.uuid4().hex
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="dlcreg-claim", daemon=True)

    def try_claim(self) -> bool:
        """Claim; return whether that succeeded. The claim of a dead process is taken over.

        Raises:
            DlcregError: the folder cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for _ in range(2):
                if self._make():
                    self._thread.start()
                    return True
                if not self._bury():
                    return False
        except OSError as error:
            raise _unwritable(self.path.parent, error.strerror or str(error)) from error
        return False

    def check(self) -> None:
        """Make sure that the claim is still one's own.

        Raises:
            DlcregError: another process took it over, as after a long sleep.
        """
        if _read(self.path).get("token") != self._token:
            raise DlcregError(f"another process has taken over {self.path}")

    def release(self) -> None:
        """Give the claim back."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        if _read(self.path).get("token") == self._token:
            self.path.unlink(missing_ok=True)

    def _make(self) -> bool:
        """Make the file, unless it is there."""
        says = {"token": self._token, "host": socket.gethostname(), "pid": os.getpid()}
        try:
            with self.path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(says))
        except FileExistsError:
            return False
        return True

    def _bury(self) -> bool:
        """Remove the claim of a dead process; return whether it is gone."""
        dead = _read(self.path)
        if not self.path.exists():
            return True
        if not self._is_dead(dead):
            return False
        grave = self.path.with_name(f"{self.path.name}-{self._token}")
        try:
            self.path.rename(grave)  # which of several processes one alone can do
        except FileNotFoundError:
            return True
        if _read(grave) != dead:  # a living one's, made in between: put it back
            grave.rename(self.path)
        grave.unlink(missing_ok=True)
        return True

    def _is_dead(self, who: dict[str, Any]) -> bool:
        if who.get("host") == socket.gethostname() and not _is_alive(int(who.get("pid", 0))):
            return True
        clock = self.path.with_name(f"{self.path.name}-{self._token}")
        try:
            clock.touch()  # whose time is that of the machine with the disk
            return clock.stat().st_mtime - self.path.stat().st_mtime > STALE
        except FileNotFoundError:
            return False
        finally:
            clock.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stopped.wait(HEARTBEAT):
            with contextlib.suppress(OSError):
                if _read(self.path).get("token") == self._token:
                    os.utime(self.path)


def holder_of(path: Path) -> str:
    """Return who holds a claim, for messages; empty where nobody does."""
    who = _read(path)
    return f"process {who.get('pid')} on {who.get('host')}" if who else ""


def check_writable(folder: Path) -> None:
    """Make sure, as far as rights tell, that a folder can be written or made. Nothing is made.

    Raises:
        DlcregError: it cannot.
    """
    nearest = folder.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise _unwritable(folder, f"{nearest} is no folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise _unwritable(folder, os.strerror(errno.EACCES))


def _unwritable(folder: Path, why: str) -> DlcregError:
    return DlcregError(
        f"the folder {folder} cannot be written: {why}. Give another one for the results (--out)"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # where the signal 0 is not a question: the signs of life answer it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
