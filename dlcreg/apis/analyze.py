"""From a checkpoint and videos to files of poses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.frame_range import FrameRange, Moment
from dlcreg.analysis.naming import scorer_of
from dlcreg.apis.analysis_run import Analyzed, Run
from dlcreg.apis.in_order import in_order, is_conditioned
from dlcreg.apis.ranks import Rank
from dlcreg.apis.video_poses import VideoPoses, digest_of, fixed_batch_size
from dlcreg.data.video import videos_in
from dlcreg.errors import DataError
from dlcreg.inference import DynamicCrop, Predictor
from dlcreg.plugins import own_version
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.solvers.devices import choose_device

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
    dynamic_crop: DynamicCrop | None = None,
    start: Moment | None = None,
    stop: Moment | None = None,
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
            tracks lie in files of their own beside the poses. ``conditioned``, for a model with a
            condition: it follows animals itself, see `Predictor.track`, and the files, ``_ctd``,
            are of tracks alone. None: animals are not followed.
        animals: how many there are at most, for the tracker and the dynamic crop; None: as many as
            the model knows.
        crop: x1, x2, y1, y2 in pixels: what the model is to see of each frame. Poses are those of
            the whole frame.
        dynamic_crop: the model sees what lies around the animals of the last frame, of `crop` where
            there is one.
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
        options: values that replace those of the config.
        say: takes the lines that a user is told; None: nothing is said.
        **settings: further arguments of `Predictor`, such as ``precision``.

    Returns:
        what became of each video. One that fails does not stop the others.

    Raises:
        CheckpointError, ConfigError, PluginError, DataError: see `Predictor`; a name that is no
            video, a crop or a range of frames that is none; a format that does not exist; a model
            that cannot follow animals. Nothing is written.
    """
    files = videos_in([videos] if isinstance(videos, (str, Path)) else videos)
    writers = [build_writer(name) for name in formats]
    if crop is not None and not (0 <= crop[0] < crop[1] and 0 <= crop[2] < crop[3]):
        raise DataError(f"crop={crop}: give x1, x2, y1, y2 with 0 <= x1 < x2 and 0 <= y1 < y2")
    try:
        frames = FrameRange(start, stop)
    except ValueError as error:
        raise DataError(str(error)) from error
    if dynamic_crop is not None and dynamic_crop.animals is None:
        dynamic_crop = replace(dynamic_crop, animals=animals)
    rank, told = Rank.here(), say or (lambda text: None)
    chosen = choose_device(device or (f"cuda:{rank.local}" if rank.count > 1 and _cuda() else None))
    size = fixed_batch_size(chosen) if batch_size == "auto" else int(batch_size)
    predictor = Predictor(
        checkpoint,
        proposals,
        device=chosen,
        batch_size=size,
        dynamic_crop=dynamic_crop,
        options=options,
        **settings,
    )
    follows = in_order(predictor, tracker, animals)
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
            **(follows.settings if follows else {}),
        },
    }
    del state
    poses = VideoPoses(predictor, size, crop, reader, facts, frames, follows)
    name = scorer or scorer_of(predictor.trained)
    later = None if is_conditioned(tracker) else tracker
    folder = Path(out) if out else None
    return Run(poses, name, writers, folder, overwrite, told, later, animals).all_of(files, rank)


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
