"""Neurodata Without Borders, with its extension for poses."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.analysis.extras import needed
from dlcreg.analysis.facts import facts_text
from dlcreg.analysis.tables import UNIQUE, is_single, row_names
from dlcreg.contracts import Writer
from dlcreg.files import written_whole
from dlcreg.plugins import own_version
from dlcreg.recording import Recording
from dlcreg.registry import WRITERS

_DEFINITION = "likelihood of the keypoint, from 0 to 1; NaN where there was no animal"


@WRITERS.register_module()
class NWBWriter(Writer):
    """Neurodata Without Borders (Rübel et al., 2022), poses as ndx-pose has them.

    The processing module ``behavior`` holds a ``PoseEstimation_`` and a skeleton for each animal,
    named as it is, for unique body parts called ``single``; that of a single animal without a name
    is ``PoseEstimation``, which readers look for. Its series hold x and y of a keypoint,
    float32 ``(F, 2)``, NaN where it was not found, and the likelihood. Times are those of the
    frames where they are known, else they follow from the rate. The file's notes say what made it,
    as JSON.

    Args:
        session_start_time: when the recording began, ISO 8601 with time zone, which NWB wants to
            know; by default when the video file was last written, else 1970.
        session_description: of the experiment.

    Raises:
        ValueError: a time that is none, or has no time zone.
    """

    suffix = ".nwb"

    def __init__(self, session_start_time: str = "", session_description: str = "") -> None:
        self.session_description = session_description
        self.start: datetime | None = None
        if session_start_time:
            self.start = datetime.fromisoformat(session_start_time)
            if self.start.tzinfo is None:
                raise ValueError(
                    f"session_start_time {session_start_time!r} has no time zone; write it as in "
                    "'2026-05-01T09:30:00+02:00'"
                )

    def write(self, recording: Recording, path: Path) -> None:
        """Write the file.

        Raises:
            DlcregError: it cannot be written, or pynwb or ndx-pose is not installed.
        """
        pynwb = needed("pynwb", "pynwb", "nwb")
        pose = needed("ndx_pose", "ndx-pose", "nwb")
        facts = facts_text(recording)
        name = recording.video.path.name if recording.video else path.stem
        file = pynwb.NWBFile(
            session_description=self.session_description or f"poses in {name}",
            identifier=hashlib.sha256(f"{name}{facts}".encode()).hexdigest()[:32],
            session_start_time=self.start or _written(recording),
            notes=facts,
        )
        module = file.create_processing_module("behavior", "poses")
        skeletons = []
        for individual, names, edges, points in _animals(recording):
            skeleton = pose.Skeleton(
                name=individual, nodes=list(names), edges=np.array(edges, np.uint8).reshape(-1, 2)
            )
            skeletons.append(skeleton)
            module.add(_estimation(pose, recording, individual, names, skeleton, points))
        module.add(pose.Skeletons(skeletons=skeletons))
        with written_whole(path) as temporary, pynwb.NWBHDF5IO(str(temporary), "w") as io:
            io.write(file)


def _written(recording: Recording) -> datetime:
    seconds = 0.0
    if recording.video is not None and recording.video.path.is_file():
        seconds = recording.video.path.stat().st_mtime
    return datetime.fromtimestamp(seconds, timezone.utc)


def _animals(recording: Recording) -> list[tuple[str, tuple[str, ...], tuple, np.ndarray]]:
    """Return name, names of keypoints, edges and x, y, likelihood ``(F, K, 3)`` of each animal."""
    info = recording.info
    there = recording.valid[..., None, None]
    points = np.concatenate([recording.keypoints, recording.scores[..., None]], axis=-1)
    points = np.where(there, points, np.nan).astype(np.float32)
    names = ("animal",) if is_single(recording) else row_names(recording)
    animals = [
        (name.replace("/", "_"), info.keypoint_names, info.skeleton, points[:, row])
        for row, name in zip(range(points.shape[1]), names)
    ]
    if recording.unique is not None and info.unique is not None:
        animals.append((UNIQUE, info.unique.keypoint_names, (), recording.unique))
    return animals


def _estimation(
    pose: Any,
    recording: Recording,
    individual: str,
    names: tuple[str, ...],
    skeleton: Any,
    points: np.ndarray,
) -> Any:
    video = recording.video
    when: dict[str, Any] = {"rate": 1.0}  # frames, where nothing is known of time
    if recording.times is not None:
        when = {"timestamps": recording.times}
    elif video is not None and video.fps > 0:
        when = {"rate": float(video.fps)}
    series = [
        pose.PoseEstimationSeries(
            name=name.replace("/", "_"),
            description=f"{name} of {individual}",
            data=np.ascontiguousarray(points[:, part, :2]),
            unit="pixels",
            reference_frame="centre of the top left pixel, x to the right, y down",
            confidence=np.ascontiguousarray(points[:, part, 2]),
            confidence_definition=_DEFINITION,
            **when,
        )
        for part, name in enumerate(names)
    ]
    where = f" in {video.path}, {video.size[1]} x {video.size[0]} pixels" if video else ""
    return pose.PoseEstimation(
        pose_estimation_series=series,
        name="PoseEstimation" if is_single(recording) else f"PoseEstimation_{individual}",
        description=f"poses of {individual}{where}",
        scorer=recording.scorer,
        source_software="dlcreg",
        source_software_version=own_version(),
        skeleton=skeleton,
    )
