"""What was found in a video, in a journal, to a recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlcreg.analysis.journal import Journal
from dlcreg.analysis.rows import errors_of, recording_of
from dlcreg.inference import Predictor
from dlcreg.recording import Recording, VideoInfo


class Found:
    """What was found in a video, in a journal that is complete.

    Args:
        journal: to be closed at the end.
        first: number of the first frame that was looked at.
        done: how many an earlier call had looked at.
        video: the video.
        predictor: what found it.
        facts: for the files.
    """

    def __init__(
        self,
        journal: Journal,
        first: int,
        done: int,
        video: VideoInfo,
        predictor: Predictor,
        facts: Mapping[str, Any],
    ) -> None:
        self._journal, self._first, self._video, self._facts = journal, first, video, facts
        self._info, self._individuals = predictor.info, predictor.individuals
        self.analysed = journal.frames - done
        self.unreadable: list[tuple[int, str]] = []

    def __enter__(self) -> Found:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def recording(self, scorer: str) -> Recording:
        """Return the poses of all frames up to the last one that was looked at.

        Those before the first one are not `Recording.readable`.
        """
        errors = (error for chunk in self._journal.chunks() for error in errors_of(chunk))
        self.unreadable = [(i, error) for i, error in enumerate(errors, self._first) if error]
        return recording_of(
            _Chunks(self._journal),
            self._journal.frames,
            self._info,
            self._first,
            individuals=self._individuals,
            video=self._video,
            scorer=scorer,
            provenance=self._facts,
        )

    def remove(self) -> None:
        """Remove the journal: the results are written."""
        self._journal.remove()


class _Chunks:
    """The chunks of a journal, as often as they are asked for."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._journal.chunks()
