"""The videos of a call, one after the other, whoever else works on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcreg.analysis.claims import Claim, holder_of
from dlcreg.analysis.paths import result_path
from dlcreg.analysis.tracking import build_tracker, track
from dlcreg.apis.analysis_progress import Progress
from dlcreg.apis.ranks import Rank
from dlcreg.apis.video_poses import VideoPoses
from dlcreg.contracts import Writer
from dlcreg.data.video import open_video
from dlcreg.errors import DlcregError
from dlcreg.recording import Recording

_POLL = 2.0  # seconds between two looks at what other processes work on


@dataclass
class Analyzed:
    """What became of a video.

    Args:
        video: the file.
        status: ``done``, ``skipped`` (results were there), ``elsewhere`` (another process of this
            run did it) or ``failed``.
        files: results.
        frames: that were analysed in this call.
        animals: poses in all frames of the video.
        seconds: from the first frame to the results.
        unreadable: number of each frame that could not be read, with the reason.
        error: why it failed.
    """

    video: Path
    status: str = "done"
    files: list[Path] = field(default_factory=list)
    frames: int = 0
    animals: int = 0
    seconds: float = 0.0
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    error: str = ""


class Run:
    """The videos of a call.

    Args:
        poses: finds them.
        scorer: name of the model in the results.
        writers: of the results.
        out: folder of the results; None: beside each video.
        overwrite: whether what is there is made anew.
        say: takes the lines that a user is told.
        tracker: follows animals through the poses that were found; None: nobody does.
        animals: how many there are at most.
    """

    def __init__(
        self,
        poses: VideoPoses,
        scorer: str,
        writers: Sequence[Writer],
        out: Path | None,
        overwrite: bool,
        say: Callable[[str], None],
        tracker: str | Mapping[str, Any] | None,
        animals: int | None,
    ) -> None:
        self.poses, self.scorer, self.writers = poses, scorer, writers
        self.tracker, self.animals = tracker, animals
        self.out, self.overwrite, self.say = out, overwrite, say
        self.began = time.time()
        self.code = poses.in_order.code if poses.in_order else ""

    def all_of(self, videos: Sequence[Path], rank: Rank) -> list[Analyzed]:
        """Return what became of the videos, in their order."""
        done: dict[Path, Analyzed] = {}
        waiting = [*videos[rank.number :: rank.count]]
        waiting += [video for video in videos if video not in waiting]
        while waiting:
            later: list[Path] = []
            for video in waiting:
                result = self._try(video, rank.count > 1)
                if result is None:
                    later.append(video)
                else:
                    done[video] = result
            if later and len(later) == len(waiting):
                time.sleep(_POLL)
            waiting = later
        return [done[video] for video in videos]

    def _try(self, video: Path, several: bool) -> Analyzed | None:
        """Return what became of a video; None: another process of this run works on it."""
        folder, result = self.out or video.parent, Analyzed(video)
        result.files = [self._path(folder, video, writer) for writer in self.writers]
        hidden = result_path(folder, f".{video.stem}", self.scorer, "", self.code)
        claim, failure = Claim(Path(f"{hidden}.claim")), Path(f"{hidden}.failed")
        try:
            if all(file.is_file() for file in result.files):
                if several and _since(self.began, result.files):
                    result.status = "elsewhere"
                    return result
                if not self.overwrite:
                    result.status = "skipped"
                    self.say(f"{video}: results are there already (--overwrite makes them anew)")
                    return result
            if several and failure.exists() and _since(self.began, [failure]):
                result.status = "elsewhere"
                return result
            if not claim.try_claim():
                if several:
                    return None
                raise DlcregError(f"{holder_of(claim.path)} is analysing it now")
            try:
                failure.unlink(missing_ok=True)
                journal = Path(f"{hidden}.partial")
                of_this_run = several and journal.exists() and _since(self.began, [journal])
                if self.overwrite and not of_this_run:
                    journal.unlink(missing_ok=True)
                self._analyze(video, journal, claim, result)
            except DlcregError as error:
                if several:
                    failure.write_text(str(error))
                raise
            finally:
                claim.release()
        except (DlcregError, OSError) as error:
            result.status, result.error = "failed", str(error)
            self.say(f"{video}: {error}")
        return result

    def _analyze(self, video: Path, journal: Path, claim: Claim, result: Analyzed) -> None:
        started = time.perf_counter()
        with open_video(video, self.poses.reader) as reader:
            progress = Progress(video.name, reader.info.num_frames, self.say)
            found = self.poses.found(reader, journal, claim, progress)
        with found:
            recording = found.recording(self.scorer)
            if self.poses.in_order is not None:
                recording = self.poses.in_order.arranged(recording)
            result.frames, result.unreadable = found.analysed, found.unreadable
            result.animals = int(recording.valid.sum())
            claim.check()
            for writer, path in list(zip(self.writers, result.files, strict=True)):
                if writer.can_write(recording):
                    writer.write(recording, path)
                else:
                    result.files.remove(path)
                    self.say(f"{path.name} is left out: its format is not made for such poses")
            if self.tracker is not None:
                result.files += self._track(recording, journal.parent)
            found.remove()
        result.seconds = time.perf_counter() - started

    def _track(self, recording: Recording, folder: Path) -> list[Path]:
        """Follow the animals of a video; return the files in which their tracks are."""
        assert self.tracker is not None
        assert recording.video is not None
        try:
            tracker = build_tracker(self.tracker, recording)
            tracked = track(recording, tracker, self.animals)
        except ValueError as error:
            raise DlcregError(str(error)) from error
        stem, files = recording.video.path.stem, []
        for writer in self.writers:
            if writer.suffix.startswith("_") or not writer.can_write(tracked):
                continue  # such a file is of the video, whatever became of its poses
            path = result_path(folder, stem, self.scorer, writer.suffix, tracker.code)
            writer.write(tracked, path)
            files.append(path)
        return files

    def _path(self, folder: Path, video: Path, writer: Writer) -> Path:
        return result_path(folder, video.stem, self.scorer, writer.suffix, self.code)


def _since(began: float, files: Sequence[Path]) -> bool:
    """Return whether files were written in this run, be it by another process of it."""
    return all(file.stat().st_mtime >= began - 1 for file in files)
