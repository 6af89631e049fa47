"""The frames of a video through a model, into a journal."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcreg.analysis.claims import Claim
from dlcreg.analysis.frame_range import FrameRange
from dlcreg.analysis.journal import Journal
from dlcreg.analysis.rows import Rows
from dlcreg.apis.analysis_progress import Progress
from dlcreg.apis.asked import Asked
from dlcreg.apis.found_poses import Found
from dlcreg.apis.in_order import InOrder
from dlcreg.contracts import Reader, VideoFrame
from dlcreg.errors import DataError
from dlcreg.inference import Predictor
from dlcreg.inference.following import Follower
from dlcreg.inference.sources import Frame
from dlcreg.inference.threads import read_ahead
from dlcreg.solvers.console import Clock
from dlcreg.structures import Meta, Poses

_AHEAD = 16  # frames read while the model is busy
_EVERY = 2.0  # seconds from one chunk of the journal to the next
_LARGEST = 1024  # frames of a chunk
_STATE = "state."  # what the arrays of a chunk begin with that the next frame depends on
_ENDS = 1 << 20  # bytes at either end by which a video is told from another


def fixed_batch_size(device: torch.device) -> int:
    """Return how many images a device is given at once, the same in every call.

    What is measured anew in each call would not do: sums of another length are rounded otherwise,
    and an analysis that was broken off would end with other last digits.
    """
    return 32 if device.type == "cuda" else 4


class VideoPoses:
    """Finds poses in videos.

    Frames go through the model in groups that begin at multiples of their size, wherever a call
    begins: what a frame is put together with does not depend on whether a run was broken off. Where
    the poses of a frame depend on those before it, what they depend on is in the journal, too.

    Args:
        predictor: the model; its batch size is a number.
        batch_size: that number.
        asked: what is looked at.
        facts: checkpoint, config and settings; another analysis is told by them.
        in_order: how frames are looked at one after the other; None: each by itself.
    """

    def __init__(
        self,
        predictor: Predictor,
        batch_size: int,
        asked: Asked,
        facts: Mapping[str, Any],
        in_order: InOrder | None,
    ) -> None:
        self.predictor, self.asked, self.facts, self.in_order = predictor, asked, facts, in_order
        whole = predictor.proposals is None
        self.group = batch_size if whole else batch_size * -(-16 // batch_size)

    def found(self, reader: Reader, path: Path, claim: Claim, progress: Progress) -> Found:
        """Return what is found in a video, after going on with its journal to the end.

        Raises:
            DlcregError: the journal cannot be written or is another analysis's; a crop that is
                not within the frame; the range of frames is empty.
        """
        first, stop = self.asked.part(reader)
        header = {
            "checkpoint": self.facts["checkpoint_sha256"],
            "config": self.facts["config"],
            "dlcreg version": self.facts["dlcreg"],
            "frames": [first, stop],
            "settings": self.facts["settings"],
            "torch version": torch.__version__,
            "video": [reader.info.path.stat().st_size, digest_of(reader.info.path, _ENDS)],
        }
        journal = Journal(path, header)
        done = journal.frames
        try:
            if not journal.is_complete:
                progress.start(first, stop, done)
                frames = reader.frames(first + done)
                left = None if stop is None else stop - first - done
                self._go_on(islice(frames, left), journal, claim, progress)
                if not journal.frames:
                    journal.remove()
                    raise self.asked.too_short(reader, first)
                journal.complete()
            facts = self.facts
            if self.asked.frames != FrameRange():
                facts = {**facts, "frames": [first, first + journal.frames]}
            return Found(journal, first, done, reader.info, self.predictor, facts)
        except BaseException as error:
            journal.close()
            if isinstance(error, KeyboardInterrupt) and journal.frames:
                progress.stop()
                progress.say(
                    f"{reader.info.path}: broken off; the same call goes on at frame "
                    f"{first + journal.frames}"
                )
            raise
        finally:
            progress.stop()

    def _go_on(
        self, frames: Iterator[VideoFrame], journal: Journal, claim: Claim, progress: Progress
    ) -> None:
        """Find poses in the frames that are left, and write them into the journal."""
        follower = None if self.in_order is None else self.in_order.follower()
        if follower is not None and (last := _last(journal)) is not None:
            follower.restore(last)
        offset = (self.asked.crop[0], self.asked.crop[2]) if self.asked.crop else (0, 0)
        rows, clock = Rows(self.predictor.info, offset), Clock(_EVERY)
        writing: Future[None] | None = None
        done = journal.frames
        with ThreadPoolExecutor(1, "dlcreg-journal") as pool:
            for group in self._groups(frames, follower):
                for frame, poses in group:
                    rows.add(poses, *frame.source)
                    done += 1
                progress.advance(done)
                if clock.due() or len(rows) >= _LARGEST:
                    if writing is not None:
                        writing.result()  # raises what went wrong
                    claim.check()
                    writing = pool.submit(journal.append, _chunk(rows, follower))
            if writing is not None:
                writing.result()
        if len(rows):
            journal.append(_chunk(rows, follower))

    def _groups(
        self, frames: Iterator[VideoFrame], follower: Follower | None
    ) -> Iterator[list[tuple[Frame, Poses]]]:
        """Yield the frames with their poses, some at a time; reading goes on meanwhile."""
        predictor = self.predictor
        read = read_ahead(map(self._frame, frames), _AHEAD)
        if follower is not None:
            for one in follower.on_frames(read):
                yield [one]
        elif predictor.proposals is None:
            jobs = read_ahead(map(predictor.samples.whole, read), _AHEAD)
            while group := list(predictor.run(islice(jobs, self.group))):
                yield group
        else:
            while group := list(predictor.on_frames(list(islice(read, self.group)))):
                yield group

    def _frame(self, frame: VideoFrame) -> Frame:
        """Return a frame as the predictor takes it; its source is what `Rows.add` wants beside."""
        image = frame.image
        if image is not None and self.asked.crop is not None:
            x1, x2, y1, y2 = self.asked.crop
            image = image[y1:y2, x1:x2]
        size = (0, 0) if image is None else image.shape[:2]
        error = None if image is not None else DataError(frame.error)
        meta = Meta(frame.index, "", size, index=frame.index)
        return Frame(meta, (frame.time, frame.error), image, error)


def digest_of(path: Path, ends: int | None = None) -> str:
    """Return the SHA-256 of a file, or of so many bytes at either end of it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if ends is None:
            while block := file.read(1 << 20):
                digest.update(block)
        else:
            digest.update(file.read(ends))
            file.seek(max(0, path.stat().st_size - ends))
            digest.update(file.read(ends))
    return digest.hexdigest()


def _chunk(rows: Rows, follower: Follower | None) -> dict[str, np.ndarray]:
    """Return the rows that wait, and what the frame after them depends on."""
    state = {} if follower is None else follower.state()
    return {**rows.take(), **{_STATE + name: value for name, value in state.items()}}


def _last(journal: Journal) -> dict[str, np.ndarray] | None:
    """Return what the next frame depends on; None: there is none before it."""
    last = deque(journal.chunks(), maxlen=1)
    if not last:
        return None
    (chunk,) = last
    return {name.removeprefix(_STATE): chunk[name] for name in chunk if name.startswith(_STATE)}
