"""From a result file to one in which each row is one animal, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.reading import read_recording
from dlcreg.analysis.stitching import Costs
from dlcreg.analysis.track_metrics import TrackScores, score_tracks
from dlcreg.analysis.tracking import build_tracker, track
from dlcreg.errors import DlcregError
from dlcreg.recording import Recording


@dataclass
class Tracked:
    """What `track_result` made.

    Args:
        recording: rows are animals.
        files: that were written.
        scores: against the reference tracks, where some were given.
    """

    recording: Recording
    files: list[Path] = field(default_factory=list)
    scores: TrackScores | None = None


def track_result(
    result: str | Path,
    tracker: str | Mapping[str, Any] = "sort-ellipse",
    animals: int | None = None,
    *,
    identities: bool | None = None,
    costs: Costs | None = None,
    interpolate: int = 0,
    reference: str | Path | None = None,
    similarity: float = 0.5,
    distance: float | None = None,
    formats: Sequence[str] = ("h5", "csv"),
    out: str | Path | None = None,
) -> Tracked:
    """Follow the animals of a result file, and write ``<name>_el.h5`` and the like.

    The mark is that of the tracker (`Tracker.code`), by which DeepLabCut finds tracks. A result
    that is tracked already is held against the reference and no more.

    Args:
        result: a file that `read_recording` reads; left as it is.
        tracker: see `dlcreg.analysis.tracking.track`, as the rest up to `interpolate`.
        animals: how many there are at most.
        identities: look at what the model says of who is who.
        costs: of stitching.
        interpolate: frames of the longest gap that is filled.
        reference: file of true tracks, to score what was found; of a video that was analysed in
            part that part counts.
        similarity: see `score_tracks`.
        distance: likewise.
        formats: names of writers, see `build_writer`.
        out: folder of the files; None: that of the result.

    Raises:
        DataError: a file cannot be read, or the reference is of another video or other keypoints.
        DlcregError: the result is tracked already and there is no reference; an argument is out of
            range; there is no such tracker or format; or a file cannot be written.
    """
    result = Path(result)
    writers = [build_writer(name) for name in formats]
    recording = read_recording(result)
    truth = None if reference is None else read_recording(reference, tracked=True)
    made = Tracked(recording)
    several = recording.keypoints.shape[1] > 1
    if not (recording.tracked and several):
        try:
            built = build_tracker(tracker, recording)
            options = {"identities": identities, "costs": costs, "interpolate": interpolate}
            made.recording = track(recording, built, animals, **options)  # type: ignore[arg-type]
        except ValueError as error:
            raise DlcregError(str(error)) from error
    elif truth is None:
        raise DlcregError(f"{result} is tracked already: give the file that it was made of")
    if truth is not None:
        first, stop = recording.asked
        tracks = made.recording.part(first, stop)
        if "frames" in recording.provenance:  # of a video that was analysed in part
            truth = truth.part(first, stop)
        try:
            made.scores = score_tracks(tracks, truth, similarity=similarity, distance=distance)
        except ValueError as error:
            raise DlcregError(str(error)) from error
    if made.recording is not recording:
        folder = result.parent if out is None else Path(out)
        for writer in writers:
            path = folder / f"{result.stem}_{built.code}{writer.suffix}"
            writer.write(made.recording, path)
            made.files.append(path)
    return made
