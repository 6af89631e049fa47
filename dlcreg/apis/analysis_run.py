"""The videos of a call, one after the other, whoever else works on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcreg.analysis.claims import Claim, check_writable, holder_of
from dlcreg.analysis.paths import result_path
from dlcreg.analysis.reading import read_recording
from dlcreg.analysis.tracking import build_tracker, track
from dlcreg.apis.analysis_progress import Progress
from dlcreg.apis.analyzed import Analyzed
from dlcreg.apis.asked import Asked
from dlcreg.apis.ranks import Rank
from dlcreg.apis.video_poses import VideoPoses
from dlcreg.contracts import Writer
from dlcreg.data.video import open_video
from dlcreg.errors import DlcregError
from dlcreg.recording import Recording

_POLL = 2.0  # seconds between two looks at what other processes work on


class Run:
    """The videos of a call.

    Args:
        asked: what is asked of each.
        load: makes what finds poses; called once, and only where poses are to be found.
        scorer: name of the model in the results.
        code: of results whose rows are animals, see `TRACK_CODES`; empty: rows are in any order.
        writers: of the results.
        out: folder of the results; None: beside each video.
        overwrite: whether what is there is made anew.
        say: takes the lines that a user is told.
        tracker: follows animals through the poses that were found; None: nobody does.
        animals: how many there are at most.
    """

    def __init__(
        self,
        asked: Asked,
        load: Callable[[], VideoPoses],
        scorer: str,
        code: str,
        writers: Sequence[Writer],
        out: Path | None,
        overwrite: bool,
        say: Callable[[str], None],
        tracker: str | Mapping[str, Any] | None,
        animals: int | None,
    ) -> None:
        self.asked, self.scorer, self.code, self.writers = asked, scorer, code, writers
        self.tracker, self.animals = tracker, animals
        self.out, self.overwrite, self.say = out, overwrite, say
        self.began = time.time()
        self._load = load
        self._poses: VideoPoses | None = None

    def all_of(self, videos: Sequence[Path], rank: Rank) -> list[Analyzed]:
        """Return what became of the videos, in their order.

        Raises:
            DlcregError: the model cannot be loaded; where no video needs it that is not tried.
        """
        done = {} if rank.count > 1 else self._settled(videos)
        if rank.count > 1:
            self.poses  # noqa: B018, its errors are those of the call
        waiting = [*videos[rank.number :: rank.count]]
        waiting += [video for video in videos if video not in waiting]
        waiting = [video for video in waiting if video not in done]
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

    @property
    def poses(self) -> VideoPoses:
        """What finds poses."""
        if self._poses is None:
            self._poses = self._load()
        return self._poses

    def _settled(self, videos: Sequence[Path]) -> dict[Path, Analyzed]:
        """Return the videos of which no more is to be made, or can be; load the model if needed."""
        done, needed = {}, False
        for video in videos:
            result = self._result(video)
            try:
                work = self._work(video, result)
                if work == "nothing":
                    self._skip(result)
                needed |= work == "poses"
            except (DlcregError, OSError) as error:
                self._fail(result, error)
            if result.status != "done":
                done[video] = result
        if needed:
            self.poses  # noqa: B018, its errors are those of the call
        return done

    def _work(self, video: Path, result: Analyzed) -> str:
        """Return what is to be done for a video: ``poses``, ``more`` of those there, ``nothing``.

        Raises:
            DlcregError: nothing can be done.
        """
        base = self._base(video)
        if not self.overwrite:
            unknown = self.asked.check_results(video, [base, *result.files])
            missing = [file for file in result.files if not file.is_file()]
            if not missing and self.tracker is None:
                return "nothing"
            if unknown:
                raise self.asked.unknown_error(unknown)
            if base.is_file() and not Path(f"{self._hidden(video)}.partial").exists():
                return "more"
        self.asked.check_video(video)
        check_writable(base.parent)
        return "poses"

    def _try(self, video: Path, several: bool) -> Analyzed | None:
        """Return what became of a video; None: another process of this run works on it."""
        result, hidden = self._result(video), self._hidden(video)
        claim, failure = Claim(Path(f"{hidden}.claim")), Path(f"{hidden}.failed")
        try:
            there = all(file.is_file() for file in result.files)
            if several and there and _since(self.began, result.files):
                result.status = "elsewhere"
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
                work = self._work(video, result)
                if work == "nothing":
                    self._skip(result)
                elif work == "more":
                    self._more(video, result)
                else:
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
            self._fail(result, error)
        return result

    def _skip(self, result: Analyzed) -> None:
        result.status = "skipped"
        self.say(f"{result.video}: results are there already (--overwrite makes them anew)")

    def _fail(self, result: Analyzed, error: Exception) -> None:
        text = str(error)
        result.status, result.error = "failed", text
        self.say(text if text.startswith(str(result.video)) else f"{result.video}: {text}")

    def _analyze(self, video: Path, journal: Path, claim: Claim, result: Analyzed) -> None:
        started, poses = time.perf_counter(), self.poses
        with open_video(video, self.asked.reader) as reader:
            progress = Progress(video.name, reader.info.num_frames, self.say)
            found = poses.found(reader, journal, claim, progress)
        with found:
            recording = found.recording(self.scorer)
            if poses.in_order is not None:
                recording = poses.in_order.arranged(recording)
            result.frames, result.unreadable = found.analysed, found.unreadable
            claim.check()
            self._write(recording, result, result.files)
            if self.tracker is not None:
                result.files += self._track(recording, video, anew=True)
            found.remove()
        result.seconds = time.perf_counter() - started

    def _more(self, video: Path, result: Analyzed) -> None:
        """Make what is asked for and is not there, of the poses that are."""
        started = time.perf_counter()
        recording = read_recording(self._base(video))
        missing = [file for file in result.files if not file.is_file()]
        made = self._write(recording, result, missing)
        if self.tracker is not None:
            made += (tracks := self._track(recording, video, anew=False))
            result.files += tracks
        if not made:
            self._skip(result)
        result.seconds = time.perf_counter() - started

    def _write(self, recording: Recording, result: Analyzed, wanted: Sequence[Path]) -> list[Path]:
        """Write poses; return the files. Those that cannot hold them leave the results."""
        made, wanted = [], list(wanted)
        result.animals = int(recording.valid.sum())
        for writer, path in list(zip(self.writers, result.files, strict=True)):
            if path not in wanted:
                continue
            if writer.can_write(recording):
                writer.write(recording, path)
                made.append(path)
            else:
                result.files.remove(path)
                self.say(f"{path.name} is left out: its format is not made for such poses")
        return made

    def _track(self, recording: Recording, video: Path, anew: bool) -> list[Path]:
        """Follow the animals of a video; return the files in which their tracks are.

        Args:
            recording: the poses.
            video: the file.
            anew: whether tracks that are there are of other poses.
        """
        assert self.tracker is not None
        folder = self._base(video).parent
        try:
            tracker = build_tracker(self.tracker, recording)
            # such a file as _meta.pickle is of the video, whatever became of its poses
            writers = [one for one in self.writers if not one.suffix.startswith("_")]
            paths = [
                result_path(folder, video.stem, self.scorer, writer.suffix, tracker.code)
                for writer in writers
            ]
            if not anew:
                self._check_tracks(video, paths)
                if all(path.is_file() for path in paths):
                    return []
            tracked = track(recording, tracker, self.animals)
        except ValueError as error:
            raise DlcregError(str(error)) from error
        files = []
        for writer, path in zip(writers, paths, strict=True):
            if writer.can_write(tracked) and (anew or not path.is_file()):
                writer.write(tracked, path)
                files.append(path)
        return files

    def _check_tracks(self, video: Path, paths: Sequence[Path]) -> None:
        """Raise an error where tracks that are there were made otherwise."""
        if unknown := self.asked.check_results(video, paths, self.animals):
            raise self.asked.unknown_error(unknown)

    def _result(self, video: Path) -> Analyzed:
        return Analyzed(video, files=[self._path(video, one.suffix) for one in self.writers])

    def _base(self, video: Path) -> Path:
        """Return the file of which others can be made."""
        return self._path(video, ".h5")

    def _hidden(self, video: Path) -> Path:
        """Return what the names of a run's own files begin with."""
        folder = self.out or video.parent
        return result_path(folder, f".{video.stem}", self.scorer, "", self.code)

    def _path(self, video: Path, suffix: str) -> Path:
        folder = self.out or video.parent
        return result_path(folder, video.stem, self.scorer, suffix, self.code)


def _since(began: float, files: Sequence[Path]) -> bool:
    """Return whether files were written in this run, be it by another process of it."""
    return all(file.stat().st_mtime >= began - 1 for file in files)
