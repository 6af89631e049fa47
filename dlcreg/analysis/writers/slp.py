"""SLEAP's project files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.analysis.extras import needed
from dlcreg.analysis.facts import facts_text
from dlcreg.contracts import Writer
from dlcreg.files import written_whole
from dlcreg.recording import Recording
from dlcreg.registry import WRITERS


@WRITERS.register_module()
class SLPWriter(Writer):
    """SLEAP's ``.slp``: predictions that SLEAP's window opens beside the video, to proof-read.

    Tracked animals are tracks by name. SLEAP knows no unique body parts; they are left out. Its
    provenance has ``dlcreg``, what made the file, as JSON. The file is made by sleap-io, in memory.
    """

    suffix = ".slp"

    def write(self, recording: Recording, path: Path) -> None:
        """Write the file.

        Raises:
            DlcregError: it cannot be written, or sleap-io is not installed.
        """
        sio = needed("sleap_io", "sleap-io", "slp")
        info = recording.info
        skeleton = sio.Skeleton(
            nodes=list(info.keypoint_names),
            edges=[tuple(info.keypoint_names[i] for i in pair) for pair in info.skeleton],
        )
        video = _video(sio, recording)
        tracks = [sio.Track(name) for name in recording.individuals] if recording.tracked else []
        labels = sio.Labels(
            labeled_frames=_frames(sio, recording, skeleton, video, tracks),
            videos=[video],
            skeletons=[skeleton],
            tracks=tracks,
            provenance={"dlcreg": facts_text(recording), "source": recording.scorer},
        )
        with written_whole(path) as temporary:
            sio.save_slp(labels, str(temporary), embed=False, verbose=False)


def _video(sio: Any, recording: Recording) -> Any:
    if recording.video is None:
        return sio.Video(filename="", open_backend=False)
    height, width = recording.video.size
    return sio.Video(
        filename=str(recording.video.path),
        open_backend=False,
        backend_metadata={"shape": (len(recording), height, width, 3)},
    )


def _frames(
    sio: Any, recording: Recording, skeleton: Any, video: Any, tracks: list[Any]
) -> list[Any]:
    valid = recording.valid
    frames = []
    for frame in np.flatnonzero(valid.any(axis=1)).tolist():
        animals = [
            sio.PredictedInstance.from_numpy(
                points_data=recording.keypoints[frame, row].astype(np.float64),
                skeleton=skeleton,
                point_scores=recording.scores[frame, row].astype(np.float64),
                score=float(recording.instance_scores[frame, row]),
                track=tracks[row] if tracks else None,
            )
            for row in np.flatnonzero(valid[frame]).tolist()
        ]
        frames.append(sio.LabeledFrame(video=video, frame_idx=frame, instances=animals))
    return frames
