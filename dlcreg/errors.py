"""The errors that dlcreg raises on purpose: each says what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class DlcregError(Exception):
    """Base of all errors that are meant to be read by a user.

    The command line prints their text without a traceback and exits with status 2.
    """


class PluginError(DlcregError):
    """A component or the package that provides it cannot be used."""


class UnknownPartError(PluginError):
    """A name that nothing installed provides."""


class ProjectError(DlcregError):
    """A DeepLabCut project cannot be read."""


class DataError(DlcregError):
    """A data set, an image, a video or a transform cannot be used."""


class CheckpointError(DlcregError):
    """A checkpoint cannot be read, or does not fit the model."""


@dataclass(frozen=True)
class Location:
    """A place in a file: 1-based `line`, 1-based `column`, and the `text` of that line."""

    file: str
    line: int
    column: int = 1
    text: str = ""


@dataclass(frozen=True)
class Problem:
    """One mistake in a config.

    Args:
        path: dotted path of the value, such as ``model.head.sigma``.
        message: what is wrong and how to mend it, without the path.
        location: where the value stands; None for a value made in Python.
        source: where a value without a location comes from, such as ``--cfg-options``.
    """

    path: str
    message: str
    location: Location | None = None
    source: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: {self.message}" if self.path else self.message
        if self.location is None:
            return f"{self.source}: {where}" if self.source else where
        place = self.location
        text = f"{place.file}:{place.line}:{place.column}: {where}"
        if place.text.strip():
            before = "".join("\t" if c == "\t" else " " for c in place.text[: place.column - 1])
            text += f"\n    {place.text.rstrip()}\n    {before.ljust(place.column - 1)}^"
        return text


class ConfigError(DlcregError):
    """A config with mistakes. `problems` holds all of them, in the order of the config.

    Args:
        problems: the mistakes, or one message.
    """

    def __init__(self, problems: Iterable[Problem] | Problem | str) -> None:
        if isinstance(problems, str):
            problems = Problem("", problems)
        if isinstance(problems, Problem):
            problems = [problems]
        self.problems = list(problems)
        count = len(self.problems)
        head = f"{count} problems in the config:\n" if count > 1 else ""
        super().__init__(head + "\n".join(str(problem) for problem in self.problems))
