"""From a video and its poses to a video that shows them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcreg.analysis.belonging import check_video
from dlcreg.analysis.cutoffs import warn_of_cutoff
from dlcreg.analysis.finding import result_of
from dlcreg.analysis.labelled_video import Labelled, write_labelled_video
from dlcreg.analysis.painting import ColorBy, Painter
from dlcreg.analysis.reading import read_recording
from dlcreg.data.project_config import read_config, skeleton_of
from dlcreg.data.video import open_video
from dlcreg.errors import DlcregError, ProjectError
from dlcreg.recording import Recording

logger = logging.getLogger("dlcreg")


def label_video(
    video: str | Path,
    result: str | Path | None = None,
    *,
    filtered: bool = False,
    folder: str | Path | None = None,
    out: str | Path | None = None,
    pcutoff: float = 0.6,
    trail: int = 0,
    skeleton: bool = False,
    project: str | Path | None = None,
    color_by: ColorBy | None = None,
    boxes: bool = False,
    dot: float | None = None,
    workers: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Labelled:
    """Draw the poses of a video into it, see `dlcreg.analysis.painting.Painter`.

    The video is H.264 that browsers play, without sound, each frame shown when it was. It stands
    beside its poses, ``<result>_p60_labeled.mp4``, as DeepLabCut names it.

    Args:
        video: the video file.
        result: file of its poses; None: what lies in `folder` by DeepLabCut's names.
        filtered: where `result` is None, take the filtered poses.
        folder: where results lie; None: beside the video.
        out: the MP4 file to write, or a folder for it; None: beside the result.
        pcutoff: likelihood below which a point is drawn as a ring.
        trail: how many frames back the trails of points go.
        skeleton: draw the skeleton that the poses come with.
        project: root of a DeepLabCut project, or its config.yaml, whose skeleton is drawn instead.
        color_by: ``keypoint`` or ``individual``; None: individuals where several are told apart.
        boxes: draw boxes around the animals.
        dot: radius of the points in pixels; None: by the size of the animals.
        workers: threads that draw; None: by the number of cores.
        progress: called with the number of frames that are done and of all, None if unknown.

    Raises:
        DataError: the video or its poses cannot be read, or they do not belong together.
        ProjectError: there is no such project, or its skeleton joins none of the keypoints.
        DlcregError: an argument is out of range, or the file cannot be written.
    """
    if not 0 <= pcutoff <= 1:
        raise DlcregError(f"pcutoff={pcutoff:g}: a likelihood lies between 0 and 1")
    if trail < 0:
        raise DlcregError(f"trail={trail}: give 0 or more frames")
    if dot is not None and not dot > 0:
        raise DlcregError(f"dot={dot:g}: give a radius above 0 pixels")
    if workers is not None and workers < 1:
        raise DlcregError(f"workers={workers}: give 1 or more")
    video = Path(video)
    with open_video(video) as reader:
        where = Path(folder) if folder is not None else None
        path = Path(result) if result is not None else result_of(video, where, filtered)
        recording = read_recording(path)
        check_video(recording, path, reader.info)
        warn_of_cutoff(recording, pcutoff)
        if project is not None:
            recording = _with_skeleton(recording, Path(project))
        elif skeleton and not recording.info.skeleton:
            logger.warning("%s names no skeleton: none is drawn. Give --project", path)
        several = len(recording.individuals) > 1
        painter = Painter(
            recording,
            reader.info.size,
            pcutoff=pcutoff,
            trail=trail,
            skeleton=skeleton or project is not None,
            color_by=color_by or ("individual" if several else "keypoint"),
            boxes=boxes,
            dot=dot,
        )
        name = f"{path.stem}_p{round(100 * pcutoff)}_labeled.mp4"
        target = path.with_name(name) if out is None else Path(out)
        if target.suffix.lower() != ".mp4":
            target /= name
        options: dict[str, Any] = {"workers": workers, "progress": progress}
        made = write_labelled_video(reader, painter, target, **options)
    if made.frames != len(recording):
        logger.warning(
            "%s has %d frames, %s the poses of %d: the rest shows none",
            *(video, made.frames, path, len(recording)),
        )
    return made


def _with_skeleton(recording: Recording, project: Path) -> Recording:
    """Return poses with the skeleton of a project."""
    root = project.parent if project.is_file() else project
    names = recording.info.keypoint_names
    pairs = skeleton_of(read_config(root), names, root)
    if not pairs:
        raise ProjectError(
            f"{root / 'config.yaml'}: its skeleton joins none of the keypoints of the poses: "
            f"{', '.join(names)}"
        )
    skeleton = tuple((names.index(a), names.index(b)) for a, b in pairs)
    return replace(recording, info=replace(recording.info, skeleton=skeleton))
