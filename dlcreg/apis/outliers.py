"""Frames of an analysed video into its project, to be labelled next."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image

from dlcreg.analysis.belonging import check_video
from dlcreg.analysis.outliers import jumps, novel, spread, uncertainty
from dlcreg.analysis.reading import read_recording
from dlcreg.analysis.tables import blocks, layout_of
from dlcreg.data import Project
from dlcreg.data.labels import write_frame
from dlcreg.data.project_config import list_video, read_config
from dlcreg.data.video import open_video
from dlcreg.errors import DataError, ProjectError
from dlcreg.files import written_whole
from dlcreg.recording import Recording

Method = Literal["uncertain", "jump", "novel"]
"""Low likelihoods, keypoints that jump, or poses unlike all labelled ones."""


@dataclass(frozen=True)
class Outliers:
    """What `outliers` added to a project.

    Args:
        frames: their numbers in the video.
        folder: where their images lie.
        table: what the model found in them, for correction.
        gap: least frames between two of them, and from those that were there.
    """

    frames: list[int]
    folder: Path
    table: Path
    gap: int


def outliers(
    result: str | Path,
    project: str | Path,
    video: str | Path,
    *,
    method: Method = "uncertain",
    count: int = 20,
    pcutoff: float = 0.6,
    jump: float = 20.0,
    gap: int | None = None,
) -> Outliers:
    """Extract frames that the model had trouble with, so that labelling goes on.

    As DeepLabCut does, images go to ``labeled-data/<video>/imgNNNN.png``, and what the model found
    in them to ``machinelabels-iter<iteration>.h5`` and ``machinelabels.csv`` beside them, which
    napari opens for correction; the video is listed in the project's config.yaml. Frames and rows
    that are there already are left as they are.

    Args:
        result: the poses of the video, see `read_recording`.
        project: folder of a DeepLabCut project.
        video: the video.
        method: which frames: ``uncertain``, ``jump`` or ``novel``.
        count: most frames to extract.
        pcutoff: likelihood below which a keypoint is uncertain; for ``jump``, is left out.
        jump: for ``jump``: pixels from frame to frame from which on it is one.
        gap: least frames between two that are extracted, and from those that are there; None: a
            share of the video, so that frames come from all of it.

    Raises:
        DataError: the result or the video cannot be read, or they do not belong together.
        ProjectError: the folder is no project, or its keypoints are others.
        ValueError: a number out of range.
        DlcregError: a file cannot be written.
    """
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}, not {method!r}")
    if count < 1:
        raise ValueError(f"count={count}: give 1 or more")
    recording, video = read_recording(result), Path(video)
    into = Project(project)
    _check_names(recording, into, Path(result))
    folder = into.root / "labeled-data" / video.stem
    with open_video(video) as reader:
        number, size = reader.info.num_frames, reader.info.size
        check_video(recording, Path(result), reader.info, whole=True)
    length = max(len(recording), number or 0)  # one that was analysed in part lacks the last rows
    width = max(1, math.ceil(math.log10(max(length, 2))))
    there = _extracted(folder)
    first, stop = recording.asked
    gap = gap or max(1, min((stop - first) // (4 * count), 25))
    if method == "novel":
        frames = novel(recording, _labelled(into, recording), count, gap, there)
    else:
        scores = uncertainty(recording, pcutoff)
        if method == "jump":
            scores = jumps(recording, pcutoff)
            scores = np.where(scores >= jump, scores, 0.0)
        frames = spread(scores, count, gap, there)
    iteration = int(read_config(into.root).get("iteration") or 0)
    table = folder / f"machinelabels-iter{iteration}.h5"
    if not frames:
        return Outliers([], folder, table, gap)
    list_video(into.root, video, size)
    names = [f"img{frame:0{width}d}.png" for frame in frames]
    for path, image in zip((folder / name for name in names), _images(video, frames), strict=True):
        with written_whole(path) as temporary:
            Image.fromarray(image).save(temporary, format="PNG")
    _add_rows(table, recording, frames, [("labeled-data", video.stem, name) for name in names])
    return Outliers(frames, folder, table, gap)


def _check_names(recording: Recording, project: Project, result: Path) -> None:
    names, known = recording.info.keypoint_names, project.bodyparts
    if set(names) != set(known):
        odd = sorted(set(names) ^ set(known))
        raise ProjectError(
            f"{result} has other keypoints than the project {project.root}: {', '.join(odd)}"
        )


def _extracted(folder: Path) -> list[int]:
    found = (re.fullmatch(r"img(\d+)\.png", path.name) for path in folder.glob("img*.png"))
    return sorted(int(match[1]) for match in found if match)


def _labelled(project: Project, recording: Recording) -> np.ndarray:
    """Return the labelled poses ``(L, K, 2)``, keypoints in the order of the recording's."""
    order = [project.bodyparts.index(name) for name in recording.info.keypoint_names]
    poses = project.keypoints.reshape(-1, len(order), 2)[:, order]
    return poses[np.isfinite(poses).any(axis=(1, 2))]


def _images(video: Path, frames: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield frames of a video, given by their numbers in order.

    Raises:
        DataError: one of them cannot be decoded.
    """
    wanted = iter(frames)
    number = next(wanted)
    with open_video(video) as reader:
        for frame in reader.frames(number):
            if frame.index < number:
                continue
            if frame.image is None:
                raise DataError(f"frame {number} of {video} cannot be decoded: {frame.error}")
            yield frame.image
            following = next(wanted, None)
            if following is None:
                return
            number = following
    raise DataError(f"{video} has no frame {number}")


def _add_rows(
    path: Path, recording: Recording, frames: Sequence[int], rows: Sequence[tuple[str, str, str]]
) -> None:
    """Add the poses of frames to a table of machine labels."""
    import pandas as pd

    pick = np.asarray(frames)
    unique = None if recording.unique is None else recording.unique[pick]
    some = replace(
        recording,
        keypoints=recording.keypoints[pick],
        scores=recording.scores[pick],
        instance_scores=recording.instance_scores[pick],
        unique=unique,
        readable=None,
    )
    layout = layout_of(some)
    columns = pd.MultiIndex.from_tuples(layout.columns, names=layout.levels)
    frame = pd.DataFrame(
        np.concatenate(list(blocks(some, layout))),
        index=pd.MultiIndex.from_tuples(rows),
        columns=columns,
    )
    if path.is_file():
        before = pd.read_hdf(path, "df_with_missing")
        frame = pd.concat([before, frame[~frame.index.isin(before.index)]]).sort_index()
    write_frame(frame, path, path.with_name("machinelabels.csv"))
