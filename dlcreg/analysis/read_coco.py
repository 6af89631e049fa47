"""COCO's results of a video to a `Recording`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcreg.analysis.facts import with_facts
from dlcreg.analysis.sidecar import read_sidecar
from dlcreg.data.proposals import Proposals
from dlcreg.errors import DataError
from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo


def read_coco(path: Path) -> Recording:
    """Return the poses of COCO results whose image ids are the numbers of a video's frames.

    The file that lies beside those of `CocoWriter` names keypoints and video; without it they are
    called ``0``, ``1`` and so on, and the last frame is the last that an animal was found in. Rows
    are no tracks: the format keeps none.

    Raises:
        DataError: it is damaged, has no poses, or its image ids are no frames.
    """
    found = Proposals.read(path)
    images = {frame: animals for frame, _, animals in found if isinstance(frame, int)}
    if len(images) < len(list(found)) or min(images, default=0) < 0:
        raise DataError(f"{path}: its image ids are not numbers of frames, from 0 on")
    facts = read_sidecar(path)
    parts = len(facts["info"]["keypoint_names"]) if facts else found.num_keypoints
    if parts is None:
        raise DataError(f"{path} has boxes and no poses")
    frames = 1 + max(images, default=-1)
    rows = max((len(animals) for animals in images.values()), default=0)
    if facts:
        frames, rows = max(frames, facts["frames"]), max(rows, facts["rows"])
    boxes = np.full((frames, rows, 4), np.nan, np.float32)
    recording = Recording(
        keypoints=np.full((frames, rows, parts, 2), np.nan, np.float32),
        scores=np.zeros((frames, rows, parts), np.float32),
        instance_scores=np.zeros((frames, rows), np.float32),
        boxes=boxes,
        info=DatasetInfo(tuple(map(str, range(parts))), num_individuals=max(rows, 1)),
    )
    for frame, animals in images.items():
        poses, there = animals.as_poses(parts), slice(len(animals))
        if poses.keypoints.shape[2] != parts:
            raise DataError(f"{path} has poses of other keypoints than the file beside it names")
        recording.keypoints[frame, there] = poses.keypoints[0]
        recording.scores[frame, there] = poses.scores[0]
        recording.instance_scores[frame, there] = poses.instance_scores[0]
        boxes[frame, there] = animals.boxes
    if facts is None:
        return recording
    info = {**facts["info"], "unique": None}
    return with_facts(recording, {**facts, "tracked": False, "info": info, "rows": rows}, path)
