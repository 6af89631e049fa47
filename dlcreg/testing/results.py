"""What a check says: a `CheckResult`, or an exception that becomes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NoReturn

Status = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check of one part.

    Args:
        check: name of the check, such as ``round_trip``.
        status: ``passed``, ``failed``, or ``skipped`` where it does not apply.
        message: what was seen and, of a failure, what was expected and how to mend it.
    """

    check: str
    status: Status
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.status}: {self.message}"


class CheckFailed(Exception):
    """Raised inside a check: the part does not do what its contract says."""


class CheckSkipped(Exception):
    """Raised inside a check that does not apply to the part."""


class NotBuilt(CheckFailed):
    """The part cannot be built: the check ``builds`` fails, all that need the part are skipped."""


def fail(seen: str, expected: str, mend: str) -> NoReturn:
    """Fail a check, saying what was seen, what was expected and how to mend it."""
    raise CheckFailed(f"{seen}. Expected: {expected}. {mend}.")


def skip(reason: str) -> NoReturn:
    """Skip a check."""
    raise CheckSkipped(reason)
