"""What a call asks of each video, and whether results that are there are just that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcreg.analysis.differences import differences
from dlcreg.analysis.frame_range import FrameRange
from dlcreg.analysis.reading import read_facts
from dlcreg.contracts import Reader
from dlcreg.data.video import open_video
from dlcreg.errors import DataError, DlcregError

_ALIKE = ("batch_size", "compile", "device")  # on which no more than the last bits depend
_MEND = "give --overwrite, or another folder (--out)"


@dataclass(frozen=True)
class Asked:
    """What is asked of each video; no model is needed to tell.

    Args:
        checkpoint: the file.
        digest: of its bytes.
        settings: in plain containers, by which another analysis is told; ``max_animals`` is None
            where the model will say it.
        frames: which are looked at.
        crop: x1, x2, y1, y2 of what is seen of a frame; None: all of it.
        reader: a name of READERS, or None.
    """

    checkpoint: Path
    digest: str
    settings: Mapping[str, Any]
    frames: FrameRange
    crop: tuple[int, int, int, int] | None = None
    reader: str | None = None

    def part(self, reader: Reader) -> tuple[int, int | None]:
        """Return the numbers of the first frame and of the one after the last; None: the end.

        Raises:
            DataError: the crop is not within the frame; the range of frames is empty, or times are
                asked for and the video has none.
        """
        if self.crop is not None:
            height, width = reader.info.size
            if self.crop[1] > width or self.crop[3] > height:
                raise DataError(
                    f"the crop {self.crop} reaches beyond the {width} x {height} pixels of "
                    f"{reader.info.path}"
                )
        return self.frames.of(reader)

    def check_video(self, video: Path) -> None:
        """Make sure that there is what is asked for.

        Raises:
            DataError: see `part`; or the video ends before; or it cannot be read.
        """
        with open_video(video, self.reader) as reader:
            first, _ = self.part(reader)
            if first and next(iter(reader.frames(first)), None) is None:
                raise self.too_short(reader, first)

    def too_short(self, reader: Reader, first: int) -> DataError:
        """Return the error of a video that ends before the first frame that is asked for."""
        info = reader.info
        if not first:
            return DataError(f"{info.path} has no frames")
        count = info.num_frames
        has = "" if count is None or count > first else f": it has {count} frames"
        if has and info.fps > 0:
            has += f", {count / info.fps:.1f} s"  # type: ignore[operator]
        return DataError(f"{info.path}: start={self.frames.start} is beyond the end{has}")

    def check_results(
        self, video: Path, files: Sequence[Path], animals: int | None = None
    ) -> Path | None:
        """Return a file that is there where none of those that are says how it was made.

        Args:
            video: whose results they are.
            files: whether they are there or not.
            animals: how many may be followed, of files of tracks; None: any number.

        Raises:
            DlcregError: one was made with other settings.
        """
        unknown: list[Path] = []
        told = False
        for path in dict.fromkeys(files):
            if not path.is_file():
                continue
            facts = read_facts(path)
            made = (facts or {}).get("provenance") or {}
            if "checkpoint_sha256" not in made:
                unknown.append(path)
                continue
            told = True
            theirs, ours = self._made(facts or {}), self._wanted(video)
            if animals is not None:
                theirs["animals"] = (made.get("tracking") or {}).get("animals")
                ours["animals"] = animals
            if ours.get("max_animals") is None:
                theirs.pop("max_animals", None)
            if differ := differences(theirs, ours):
                raise DlcregError(f"{path} is there, but made with {differ}: {_MEND}")
        return unknown[0] if unknown and not told else None

    def unknown_error(self, path: Path) -> DlcregError:
        """Return the error of a result that does not say how it was made, and stands in the way."""
        return DlcregError(f"{path} is there and does not say how it was made: {_MEND}")

    def _made(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return how a result says that it was made."""
        made, video = facts["provenance"], facts.get("video") or {}
        same = made["checkpoint_sha256"] == self.digest
        name = self.checkpoint.name if same else f"another {made.get('checkpoint')}"
        start, stop = made.get("frames") or (0, None)
        part = _part(start, stop, video.get("num_frames"))
        return {**_compared(made.get("settings") or {}), **part, "checkpoint": name}

    def _wanted(self, video: Path) -> dict[str, Any]:
        """Return the same of what is asked for."""
        start, stop, count = 0, None, None
        if self.frames != FrameRange():
            with open_video(video, self.reader) as reader:
                start, stop = self.frames.of(reader)
                count = reader.info.num_frames
        settings = json.loads(json.dumps(dict(self.settings), default=str))
        part = _part(start, stop, count)
        return {**_compared(settings), **part, "checkpoint": self.checkpoint.name}


def _compared(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in _ALIKE}


def _part(start: int, stop: int | None, count: int | None) -> dict[str, Any]:
    """Return a range of frames; one that reaches the last of them has no other end."""
    to_end = stop is None or (count is not None and stop >= count)
    return {"start": start, "stop": "the end" if to_end else stop}
