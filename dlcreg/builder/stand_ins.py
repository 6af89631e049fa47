"""What stands in for data that is not there, so that all else can be tried without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlcreg.structures import DatasetInfo
from dlcreg.wiring.held import Guess

INFO = DatasetInfo(
    keypoint_names=("a", "b", "c", "d"),
    skeleton=((0, 1), (1, 2), (2, 3)),
    individuals=("one", "two"),
    identified=True,
    unique=DatasetInfo(keypoint_names=("x", "y")),
)
"""Keypoints of data that is not known."""


def guesses() -> dict[str, Guess]:
    """Return what parts are wired, where nothing is to be held against it."""
    return {name: Guess(value) for name, value in INFO.wiring().items()}


@dataclass(frozen=True)
class StandInData:
    """A data set without samples."""

    info: DatasetInfo = INFO


@dataclass(frozen=True)
class StandInLoader:
    """A loader that nothing is drawn from, of an epoch long enough for any schedule."""

    dataset: Any = StandInData()

    def __len__(self) -> int:
        return 10_000

    def switch_pipeline(self, epoch: int, transform: Any) -> None:
        """Take any: there are no samples that go through it."""
