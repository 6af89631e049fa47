"""Frames to what a model sees of them: the image, or the animals cut out of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlcreg.data.crops import fitted
from dlcreg.data.proposals import ImageProposals
from dlcreg.data.samples import prepared, unlabelled
from dlcreg.errors import DataError
from dlcreg.inference.checkpoint import Trained
from dlcreg.inference.engine import Job
from dlcreg.inference.sources import Frame
from dlcreg.structures import Meta, Sample


class Samples:
    """Frames through the transforms of the test data.

    Args:
        trained: the model that is to see them.
    """

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.pipeline = trained.pipeline()

    def whole(self, frame: Frame) -> Job:
        """Return a frame as one sample; none where it could not be read."""
        if frame.image is None:
            return Job(frame.meta, (), frame)
        return Job(frame.meta, (self._prepared(frame.image, frame.meta),), frame)

    def crops(self, frame: Frame, found: ImageProposals) -> Job:
        """Return the animals of a frame, cut out by what was proposed.

        Raises:
            DataError: poses are needed for a condition, and there are none or others.
        """
        if frame.image is None or not len(found):
            return Job(frame.meta, (), frame)
        count, poses = self.trained.info.num_keypoints, found.keypoints
        fits = poses is not None and poses.shape[1] == count
        if self.trained.needs_condition and not fits:
            raise DataError(
                f"{self.trained.source} looks at poses of {count} keypoints, and the proposals of "
                f"{_name(frame.meta)} have {'none' if poses is None else poses.shape[1]}: give it "
                "a model as proposals that finds the same keypoints, or a file of its results"
            )
        found = fitted(found, self.trained.box_margin, frame.meta.size)
        samples = [
            self._prepared(
                frame.image,
                replace(frame.meta, instance=row, score=float(found.scores[row])),
                found.boxes[row],
                found.keypoints[row] if fits and found.keypoints is not None else None,
            )
            for row in range(len(found))
        ]
        return Job(frame.meta, samples, frame)

    def _prepared(
        self,
        image: np.ndarray,
        meta: Meta,
        box: np.ndarray | None = None,
        condition: np.ndarray | None = None,
    ) -> Sample:
        sample = unlabelled(image, meta, self.trained.info.num_keypoints, box, condition)
        return prepared(sample, self.pipeline, np.random.default_rng(0), _name(meta))


def _name(meta: Meta) -> str:
    return meta.path or f"image {meta.index}"
