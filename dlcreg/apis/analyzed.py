"""What became of a video that was to be analysed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Analyzed:
    """What became of a video.

    Args:
        video: the file.
        status: ``done``, ``skipped`` (results were there), ``elsewhere`` (another process of this
            run did it) or ``failed``.
        files: results.
        frames: that were analysed in this call.
        animals: poses in all frames of the video.
        seconds: from the first frame to the results.
        unreadable: number of each frame that could not be read, with the reason.
        error: why it failed.
    """

    video: Path
    status: str = "done"
    files: list[Path] = field(default_factory=list)
    frames: int = 0
    animals: int = 0
    seconds: float = 0.0
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    error: str = ""
