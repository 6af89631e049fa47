"""From a checkpoint and videos to files of poses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcreg.analysis.claims import Claim, holder_of
from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.naming import scorer_of
from dlcreg.analysis.paths import result_path
from dlcreg.analysis.tracking import build_tracker, track
from dlcreg.apis.analysis_progress import Progress
from dlcreg.apis.video_poses import VideoPoses, digest_of, fixed_batch_size
from dlcreg.contracts import Writer
from dlcreg.data.video import open_video, videos_in
from dlcreg.errors import DataError, DlcregError
from dlcreg.inference import Predictor
from dlcreg.plugins import own_version
from dlcreg.recording import Recording
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.solvers.devices import choose_device

FORMATS = ("h5", "csv")
"""What is written where nothing else is asked for."""

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


@dataclass(frozen=True)
class Rank:
    """Which process of how many this is; they divide the videos by what is not claimed yet."""

    number: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def here(cls) -> Rank:
        """Return what torchrun or SLURM say of this process."""
        for number, count, local in (
            ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
            ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
        ):
            values = [os.environ.get(name, "") for name in (number, count)]
            if all(value.isdigit() for value in values):
                return cls(int(values[0]), int(values[1]), int(os.environ.get(local) or 0))
        return cls()


def analyze(
    checkpoint: str | Path,
    videos: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    formats: Sequence[str | Mapping[str, Any]] = FORMATS,
    proposals: Any = None,
    tracker: str | Mapping[str, Any] | None = None,
    animals: int | None = None,
    crop: tuple[int, int, int, int] | None = None,
    scorer: str | None = None,
    reader: str | None = None,
    overwrite: bool = False,
    device: str | None = None,
    batch_size: int | str = "auto",
    options: Sequence[str] | Mapping[str, Any] = (),
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> list[Analyzed]:
    """Find poses in every frame of videos and write them as tables.

    What is found is kept in a journal, so that a call that is broken off goes on at the frame
    where it stopped, and ends with the very files of one that was not. Under torchrun or SLURM
    the processes divide the videos; what one that dies leaves behind another one goes on with.

    Args:
        checkpoint: a ``.pth`` file of a training, or one that was imported.
        videos: files, and folders of such.
        out: folder of the results; None: beside each video.
        formats: see `dlcreg.analysis.formats.build_writer`.
        proposals: see `Predictor`.
        tracker: follows the animals of a video, see `dlcreg.analysis.tracking.build_tracker`; the
            tracks lie in files of their own beside the poses. None: animals are not followed.
        animals: how many there are at most, for the tracker; None: as many as the model knows.
        crop: x1, x2, y1, y2 in pixels: what the model is to see of each frame. Poses are those of
            the whole frame.
        scorer: name of the model in the results; None: see `dlcreg.analysis.naming.scorer_of`.
        reader: a name of READERS; None: see `open_video`.
        overwrite: analyse anew what has results, or was begun with other settings.
        device: see `Predictor`.
        batch_size: images at once; ``auto``: a number that is the same in all calls, for poses
            depend on it in their last bits.
        options: values that replace those of the config.
        say: takes the lines that a user is told; None: nothing is said.
        **settings: further arguments of `Predictor`, such as ``precision``.

    Returns:
        what became of each video. One that fails does not stop the others.

    Raises:
        CheckpointError, ConfigError, PluginError, DataError: see `Predictor`; a name that is no
            video, or a crop that is none; a format that does not exist. Nothing is written.
    """
    files = videos_in([videos] if isinstance(videos, (str, Path)) else videos)
    writers = [build_writer(name) for name in formats]
    if crop is not None and not (0 <= crop[0] < crop[1] and 0 <= crop[2] < crop[3]):
        raise DataError(f"crop={crop}: give x1, x2, y1, y2 with 0 <= x1 < x2 and 0 <= y1 < y2")
    rank, told = Rank.here(), say or (lambda text: None)
    chosen = choose_device(device or (f"cuda:{rank.local}" if rank.count > 1 and _cuda() else None))
    size = fixed_batch_size(chosen) if batch_size == "auto" else int(batch_size)
    predictor = Predictor(
        checkpoint, proposals, device=chosen, batch_size=size, options=options, **settings
    )
    state = checkpoints.load(checkpoint) if checkpoints.is_checkpoint(checkpoint) else {}
    facts = {
        "checkpoint": Path(checkpoint).name,
        "checkpoint_sha256": digest_of(Path(checkpoint)),
        "dlcreg": own_version(),
        "config": checkpoints.plain(predictor.trained.config.data),
        "parts": list(state.get("provenance") or ()),
        "settings": {
            "batch_size": size,
            "crop": crop and list(crop),
            "device": chosen.type,
            "options": checkpoints.plain(options or ()),
            "proposals": _named(proposals),
            **{key: settings[key] for key in sorted(settings) if settings[key] not in (None, "")},
            "compile": bool(settings.get("compile")),
        },
    }
    del state
    poses, folder = VideoPoses(predictor, size, crop, reader, facts), out and Path(out)
    name = scorer or scorer_of(predictor.trained)
    run = _Run(poses, name, writers, folder or None, overwrite, told, tracker, animals)
    return run.all_of(files, rank)


class _Run:
    """The videos of a call, one after the other."""

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
        hidden = folder / f".{video.stem}{self.scorer}"
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
        return result_path(folder, video.stem, self.scorer, writer.suffix)


def _since(began: float, files: Sequence[Path]) -> bool:
    """Return whether files were written in this run, be it by another process of it."""
    return all(file.stat().st_mtime >= began - 1 for file in files)


def _named(proposals: Any) -> Any:
    """Return what says which proposals there are."""
    if proposals is None:
        return None
    if isinstance(proposals, (str, Path)):
        return [str(Path(proposals).name), digest_of(Path(proposals))]
    return type(proposals).__name__


def _cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())
