"""DeepLabCut's ``_full.pickle``: the detections of each frame, by body part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.analysis.facts import facts_of
from dlcreg.analysis.pickling import animals_of, rows_of, write_pickle
from dlcreg.contracts import Writer
from dlcreg.recording import Recording
from dlcreg.registry import WRITERS


@WRITERS.register_module()
class FullWriter(Writer):
    """What DeepLabCut draws detections and boxes from, and finds uncertain frames in.

    ``metadata`` names the body parts, then the unique ones, and says under ``dlcreg`` what made the
    file; ``frame000`` and its like hold ``coordinates``, a tuple of one list with ``(n, 2)`` for
    each body part; ``confidence``, ``(n, 1)`` for each; ``identity``, ``(n, A)`` for each, where
    it is known; ``bboxes`` ``(n, 4)`` and ``bbox_scores`` ``(n,)`` where there are boxes.

    The file is large, about 100 bytes for each body part of each frame beside the numbers, and is
    made in memory: nothing else of dlcreg needs it.
    """

    suffix = "_full.pickle"

    def write(self, recording: Recording, path: Path) -> None:
        """Write the file.

        Raises:
            DlcregError: it cannot be written.
        """
        width = max(1, len(str(max(len(recording) - 1, 0))))
        content: dict[str, Any] = {"metadata": _metadata(recording, width)}
        for frame in range(len(recording)):
            content[f"frame{frame:0{width}d}"] = _detections(recording, frame)
        write_pickle(path, content)


def _metadata(recording: Recording, width: int) -> dict[str, Any]:
    info = recording.info
    names = [*info.keypoint_names, *(info.unique.keypoint_names if info.unique else ())]
    return {
        "nms radius": None,
        "minimal confidence": None,
        "sigma": 1,
        "PAFgraph": [list(pair) for pair in info.skeleton],
        "PAFinds": np.arange(len(info.skeleton)),
        "all_joints": [[i] for i in range(len(names))],
        "all_joints_names": names,
        "nframes": len(recording),
        "key_str_width": width,
        "dlcreg": facts_of(recording),
    }


def _detections(recording: Recording, frame: int) -> dict[str, Any]:
    by_part = animals_of(recording, frame).transpose(1, 0, 2)  # (K, n, 4)
    coordinates = [part[:, :2] for part in by_part]
    confidence = [part[:, 2:3] for part in by_part]
    rows = rows_of(recording, frame)
    found: dict[str, Any] = {"costs": None}
    if recording.identity_scores is not None:
        identity = recording.identity_scores[frame, rows].transpose(1, 0, 2)  # (K, n, A)
        found["identity"] = list(identity)
    if recording.unique is not None:
        unique = recording.unique[frame].astype(np.float32)
        coordinates += [point[None, :2] for point in unique]
        confidence += [point[None, 2:] for point in unique]
        if recording.identity_scores is not None:  # of nobody, as DeepLabCut's drawing wants it
            nobody = np.full((1, identity.shape[2]), -1, np.float32)
            found["identity"] += [nobody] * len(unique)
    if recording.boxes is not None:
        found["bboxes"] = recording.boxes[frame, rows]
        found["bbox_scores"] = recording.instance_scores[frame, rows]
    return {"coordinates": (coordinates,), "confidence": confidence, **found}
