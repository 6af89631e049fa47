"""What a result says of itself beside the numbers: names, video, and what made it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.errors import DataError
from dlcreg.plugins import own_version
from dlcreg.recording import Recording, VideoInfo
from dlcreg.structures import DatasetInfo


def facts_of(recording: Recording) -> dict[str, Any]:
    """Return all of a recording but its arrays, in containers that JSON knows."""
    video = recording.video
    return {
        "dlcreg": own_version(),
        "scorer": recording.scorer,
        "tracked": recording.tracked,
        "frames": len(recording),
        "rows": recording.keypoints.shape[1],
        "individuals": list(recording.individuals),
        "info": asdict(recording.info),
        "video": video
        and {
            "path": str(video.path),
            "size": list(video.size),
            "fps": video.fps if math.isfinite(video.fps) else None,
            "num_frames": video.num_frames,
        },
        "provenance": dict(recording.provenance),
    }


def facts_text(recording: Recording, indent: int | None = None) -> str:
    """Return the facts as JSON; what JSON has no word for becomes text."""
    return json.dumps(facts_of(recording), default=_plain, indent=indent)


def with_facts(recording: Recording, facts: Mapping[str, Any], source: Path) -> Recording:
    """Return a recording that was read with what its file says of itself.

    Args:
        recording: as the numbers of the file tell.
        facts: see `facts_of`.
        source: the file, for messages.

    Raises:
        DataError: facts that do not fit the numbers.
    """
    try:
        info = DatasetInfo.from_dict(facts["info"])
        video, rows = facts["video"], int(facts["rows"])
        if video is not None:
            fps = math.nan if video["fps"] is None else float(video["fps"])
            size = (int(video["size"][0]), int(video["size"][1]))
            video = VideoInfo(Path(video["path"]), size, fps, video["num_frames"])
        found = replace(
            recording,
            keypoints=recording.keypoints[:, :rows],
            scores=recording.scores[:, :rows],
            instance_scores=recording.instance_scores[:, :rows],
            info=info,
            tracked=bool(facts["tracked"]),
            individuals=tuple(facts["individuals"]),
            video=video,
            scorer=str(facts["scorer"]),
            provenance=dict(facts["provenance"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{source}: what it says of itself is damaged: {error!r}") from error
    unique = 0 if info.unique is None else info.unique.num_keypoints
    if (info.num_keypoints, unique) != (
        recording.keypoints.shape[2],
        0 if recording.unique is None else recording.unique.shape[1],
    ):
        raise DataError(f"{source}: the key points that it names are not those of its table")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)
