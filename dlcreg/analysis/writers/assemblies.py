"""DeepLabCut's ``_assemblies.pickle``: the animals of each frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.analysis.pickling import animals_of, write_pickle
from dlcreg.analysis.tables import is_single
from dlcreg.contracts import Writer
from dlcreg.recording import Recording
from dlcreg.registry import WRITERS


@WRITERS.register_module()
class AssembliesWriter(Writer):
    """What DeepLabCut makes tracklets of, finds outliers in and conditions models by.

    For each frame by number: float32 ``(n, K, 4)``, x, y, likelihood, individual (-1: not known)
    of the animals in it; under ``single``, for each frame that could be read, float32 ``(U, 3)``
    of the unique body parts. Those who made the file are named in ``_meta.pickle``, as
    DeepLabCut's tools take every other key for a frame.
    """

    suffix = "_assemblies.pickle"

    def can_write(self, recording: Recording) -> bool:
        """Return whether the recording is of animals with names."""
        return not is_single(recording)

    def write(self, recording: Recording, path: Path) -> None:
        """Write the file.

        Raises:
            DlcregError: it cannot be written.
        """
        content: dict[Any, Any] = {"single": {}}
        for frame in range(len(recording)):
            content[frame] = animals_of(recording, frame)
        if recording.unique is not None:
            there = np.isfinite(recording.unique).all(axis=2).any(axis=1)
            for frame in np.flatnonzero(there).tolist():
                content["single"][frame] = recording.unique[frame].astype(np.float32)
        write_pickle(path, content)
