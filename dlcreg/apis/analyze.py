"""From a checkpoint and videos to files of poses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.frame_range import FrameRange, Moment
from dlcreg.analysis.naming import scorer_of
from dlcreg.analysis.short_names import full_name
from dlcreg.analysis.tracking import tracker_names
from dlcreg.apis.analysis_run import Run
from dlcreg.apis.analyzed import Analyzed
from dlcreg.apis.asked import Asked
from dlcreg.apis.in_order import CONDITIONED, CTD, in_order, is_conditioned, settings_in_order
from dlcreg.apis.ranks import Rank
from dlcreg.apis.video_poses import VideoPoses, digest_of, fixed_batch_size
from dlcreg.data.video import videos_in
from dlcreg.errors import DataError
from dlcreg.inference import DynamicCrop, Predictor
from dlcreg.inference.checkpoint import load_described
from dlcreg.plugins import own_version
from dlcreg.registry import TRACKERS
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.solvers.devices import Precision, choose_device

FORMATS = ("h5", "csv")
"""What is written where nothing else is asked for."""


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
    dynamic_crop: DynamicCrop | bool | None = None,
    start: Moment | None = None,
    stop: Moment | None = None,
    scorer: str | None = None,
    reader: str | None = None,
    overwrite: bool = False,
    device: str | None = None,
    batch_size: int | str = "auto",
    precision: Precision | None = None,
    flip_test: bool | None = None,
    refinements: int | None = None,
    compile: bool = False,
    options: Sequence[str] | Mapping[str, Any] = (),
    say: Callable[[str], None] | None = None,
) -> list[Analyzed]:
    """Find poses in every frame of videos and write them as tables.

    What is found is kept in a journal, so that a call that is broken off goes on at the frame
    where it stopped, and ends with the very files of one that was not. Results that are there stay;
    one more format, or tracks, are made of an h5 file that is there, without the model. Results
    that were made with other settings are a failure of that video, and stay. Under torchrun or
    SLURM the processes divide the videos; what one that dies leaves behind another goes on with.

    Args:
        checkpoint: a ``.pth`` file of a training, or one that was imported.
        videos: files, and folders of such.
        out: folder of the results; None: beside each video.
        formats: see `dlcreg.analysis.formats.build_writer`.
        proposals: see `Predictor`.
        tracker: follows the animals of a video, see `dlcreg.analysis.tracking.build_tracker`; the
            tracks lie in files of their own beside the poses. ``conditioned``, for a model with a
            condition: it follows animals itself, see `Predictor.track`, and the files, ``_ctd``,
            are of tracks alone. It does not say who is who: where the project knows its animals,
            the rows are called ``individual1`` and so on. None: animals are not followed.
        animals: how many there are at most, for the tracker and the dynamic crop; None: as many as
            the model knows.
        crop: x1, x2, y1, y2 in pixels: what the model is to see of each frame. Poses are those of
            the whole frame.
        dynamic_crop: the model sees what lies around the animals of the last frame, of `crop` where
            there is one; True: as `DynamicCrop` does by default.
        start: the first frame, by number (from 0) or time (``"90s"``, ``"1:30"``); None: the first
            of each video. Rows of results are numbered as the frames of the video all the same:
            those before are empty.
        stop: the frame, or the time, before which to stop; None: the end.
        scorer: name of the model in the results; None: see `dlcreg.analysis.naming.scorer_of`.
        reader: a name of READERS; None: see `open_video`.
        overwrite: analyse anew what has results, or was begun with other settings.
        device: see `Predictor`.
        batch_size: images at once; ``auto``: a number that is the same in all calls, for poses
            depend on it in their last bits.
        precision: see `Predictor`.
        flip_test: likewise.
        refinements: likewise.
        compile: likewise.
        options: values that replace those of the config.
        say: takes the lines that a user is told; None: nothing is said.

    Returns:
        what became of each video. One that fails does not stop the others.

    Raises:
        CheckpointError, ConfigError, PluginError, DataError: see `Predictor`; a name that is no
            video, a crop or a range of frames that is none; a format that does not exist; a model
            that cannot follow animals. Nothing is written.
    """
    files = videos_in([videos] if isinstance(videos, (str, Path)) else videos)
    writers = [build_writer(name) for name in formats]
    _check_tracker(tracker)
    if crop is not None and not (0 <= crop[0] < crop[1] and 0 <= crop[2] < crop[3]):
        raise DataError(f"crop={crop}: give x1, x2, y1, y2 with 0 <= x1 < x2 and 0 <= y1 < y2")
    try:
        frames = FrameRange(start, stop)
    except ValueError as error:
        raise DataError(str(error)) from error
    window = _window(dynamic_crop, animals)
    rank, told = Rank.here(), say or (lambda text: None)
    chosen = choose_device(device or (f"cuda:{rank.local}" if rank.count > 1 and _cuda() else None))
    size = fixed_batch_size(chosen) if batch_size == "auto" else int(batch_size)
    described = load_described(checkpoint, options)
    more = {"flip_test": flip_test, "precision": precision, "refinements": refinements}
    settings = {
        "batch_size": size,
        "compile": bool(compile),
        "crop": crop and list(crop),
        "device": chosen.type,
        "options": checkpoints.plain(options or ()),
        "proposals": _named(proposals),
        **{key: value for key, value in more.items() if value not in (None, "")},
        **settings_in_order(tracker, animals, window),
    }
    asked = Asked(Path(checkpoint), digest_of(Path(checkpoint)), settings, frames, crop, reader)

    def load() -> VideoPoses:
        predictor = Predictor(
            checkpoint,
            proposals,
            device=chosen,
            batch_size=size,
            precision=precision,
            flip_test=flip_test,
            refinements=refinements,
            compile=compile,
            dynamic_crop=window,
            options=options,
        )
        follows = in_order(predictor, tracker, animals)
        facts = {
            "checkpoint": asked.checkpoint.name,
            "checkpoint_sha256": asked.digest,
            "dlcreg": own_version(),
            "config": checkpoints.plain(predictor.trained.config.data),
            "parts": list(predictor.trained.made.get("provenance") or ()),
            "settings": {**settings, **(follows.settings if follows else {})},
        }
        return VideoPoses(predictor, size, asked, facts, follows)

    itself = is_conditioned(tracker)
    return Run(
        asked,
        load,
        scorer or scorer_of(described),
        CTD if itself else "",
        writers,
        Path(out) if out else None,
        overwrite,
        told,
        None if itself else tracker,
        animals,
    ).all_of(files, rank)


def _check_tracker(tracker: Any) -> None:
    """Raise an error where there is no such tracker."""
    name = tracker.get("type") if isinstance(tracker, Mapping) else tracker
    if isinstance(name, str) and not is_conditioned(tracker):
        TRACKERS.get(full_name("tracker", name, {**tracker_names(), CONDITIONED: CONDITIONED}))


def _window(dynamic_crop: Any, animals: int | None) -> DynamicCrop | None:
    """Return how the crop follows the animals; None: it does not."""
    if dynamic_crop is None or dynamic_crop is False:
        return None
    window = DynamicCrop() if dynamic_crop is True else dynamic_crop
    if not isinstance(window, DynamicCrop):
        raise DataError(f"dynamic_crop={dynamic_crop!r}: give True or a dlcreg.DynamicCrop")
    return replace(window, animals=animals) if window.animals is None else window


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
