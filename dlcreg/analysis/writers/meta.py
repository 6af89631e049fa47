"""DeepLabCut's ``_meta.pickle``: how a video was analysed."""

from __future__ import annotations

from pathlib import Path

from dlcreg.analysis.facts import facts_of
from dlcreg.analysis.pickling import write_pickle
from dlcreg.contracts import Writer
from dlcreg.recording import Recording
from dlcreg.registry import WRITERS


@WRITERS.register_module()
class MetaWriter(Writer):
    """What DeepLabCut's tools want to know of an analysis before they draw or track.

    `Recording.provenance` gives what it has under DeepLabCut's own words (``start`` and ``stop``,
    seconds since 1970; ``batch_size``; ``iteration``; ``train_fraction``). Under the key
    ``dlcreg`` lies all that is known of checkpoint, config and plug-ins.
    """

    suffix = "_meta.pickle"

    def write(self, recording: Recording, path: Path) -> None:
        """Write the file.

        Raises:
            DlcregError: it cannot be written.
        """
        facts = facts_of(recording)
        known = recording.provenance
        height, width = recording.video.size if recording.video else (0, 0)
        start, stop = float(known.get("start", 0)), float(known.get("stop", 0))
        info = recording.info
        data = {
            "start": start,
            "stop": stop,
            "run_duration": stop - start,
            "Scorer": recording.scorer,
            "pytorch-config": {},
            "fps": recording.video.fps if recording.video else float("nan"),
            "batch_size": known.get("batch_size", 1),
            "frame_dimensions": (width, height),
            "nframes": len(recording),
            "iteration (active-learning)": known.get("iteration", 0),
            "training set fraction": known.get("train_fraction"),
            "cropping": False,
            "cropping_parameters": [0, width, 0, height],
            "individuals": list(recording.individuals or info.individuals),
            "bodyparts": list(info.keypoint_names),
            "unique_bodyparts": list(info.unique.keypoint_names) if info.unique else [],
            "dlcreg": facts,
        }
        write_pickle(path, {"data": data})
