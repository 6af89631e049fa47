"""COCO's results, as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dlcreg.analysis.sidecar import write_sidecar
from dlcreg.contracts import Writer
from dlcreg.data.proposals import ImageProposals, Proposals
from dlcreg.files import written_whole
from dlcreg.recording import Recording
from dlcreg.registry import WRITERS


@WRITERS.register_module()
class CocoWriter(Writer):
    """COCO's results: a list with image_id, category_id, bbox, keypoints and score of each animal.

    The image's id is the number of the frame. A keypoint that was not found is 0, 0, 0. The format
    knows no unique body parts and no tracks; they are left out. What made the file stands beside
    it, in ``<name>.json-metadata.json``: pycocotools wants a bare list. `Proposals` reads the file,
    so that it can be the proposals of another model.
    """

    suffix = ".json"

    def write(self, recording: Recording, path: Path) -> None:
        """Write the file, and the one that describes it.

        Raises:
            DlcregError: it cannot be written.
        """
        with written_whole(path) as temporary:
            Proposals(_frames(recording), str(path)).write(temporary)
            write_sidecar(recording, temporary, path)


def _frames(recording: Recording) -> Iterator[tuple[int, None, ImageProposals]]:
    valid = recording.valid
    for frame in np.flatnonzero(valid.any(axis=1)).tolist():
        rows = valid[frame]
        points, scores = recording.keypoints[frame, rows], recording.scores[frame, rows]
        found = np.isfinite(points).all(axis=-1) & (scores > 0)
        keypoints = np.concatenate([points, scores[..., None]], axis=-1)
        keypoints = np.where(found[..., None], keypoints, 0).astype(np.float32)
        boxes = np.zeros((len(points), 4), np.float32)
        if recording.boxes is not None:
            boxes = recording.boxes[frame, rows]
        derived = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] <= 0).any(axis=1)
        instance_scores = recording.instance_scores[frame, rows]
        yield frame, None, ImageProposals(boxes, instance_scores, keypoints, np.asarray(derived))
