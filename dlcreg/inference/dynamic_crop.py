"""A crop that follows the animals through a video, so that the model sees few pixels of a frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from dlcreg.data.batching import collate
from dlcreg.errors import DataError, DlcregError
from dlcreg.inference.checkpoint import Trained
from dlcreg.inference.engine import Job
from dlcreg.inference.exported.loaded import is_exported
from dlcreg.inference.samples import Samples
from dlcreg.inference.sources import Frame
from dlcreg.solvers.checkpoint import first_line
from dlcreg.solvers.prediction import predict_batch
from dlcreg.structures import Meta, Poses

if TYPE_CHECKING:
    from dlcreg.inference.predictor import Predictor

_GRID = 32
"""Pixels: crops begin and end at multiples, so that a network's cells stay where they are."""

_PROBES = ((96, 128), (160, 224))  # sizes of images by which transforms are tried

Window = tuple[int, int, int, int]
"""x1, x2, y1, y2 in pixels of the frame, the second and the last not in it."""


@dataclass(frozen=True)
class DynamicCrop:
    """Look only at what lies around the animals, where they were in the frame before.

    The crop is the extent of all keypoints of the last frame and a margin, up to the next multiples
    of 32 pixels. A frame is seen whole where nothing is known yet, and after one in which an animal
    was missing, or which could not be read. DeepLabCut calls this dynamic cropping (Mathis et al.,
    2018).

    Args:
        threshold: likelihood that at least one keypoint of an animal has; otherwise it is missing.
        margin: pixels around the keypoints, more than an animal moves from frame to frame.
        animals: how many there are; None: as many as the model knows.

    Raises:
        ValueError: a number out of range.
    """

    threshold: float = 0.5
    margin: float = 50.0
    animals: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold={self.threshold:g}: give a likelihood from 0 to 1")
        if not 0 <= self.margin < float("inf"):
            raise ValueError(f"margin={self.margin:g}: give 0 or more pixels")
        if self.animals is not None and self.animals < 1:
            raise ValueError(f"animals={self.animals}: give 1 or more")

    def window(self, poses: Poses, size: tuple[int, int], animals: int) -> Window | None:
        """Return what is to be seen of the next frame; None: all of it.

        Args:
            poses: CPU tensors with B = 1, in pixels of the frame.
            size: height and width of the frame.
            animals: how many there are, where the settings do not say.
        """
        keypoints = poses.keypoints[0].float()
        found = keypoints.isfinite().all(dim=-1) & poses.valid[0, :, None]
        there = (found & (poses.scores[0] >= self.threshold)).any(dim=-1)
        if int(there.sum()) < (self.animals or animals):
            return None
        points = keypoints[found & there[:, None]]
        low = (points.amin(dim=0) - self.margin) / _GRID
        high = (points.amax(dim=0) + self.margin + 1) / _GRID
        end = torch.tensor([size[1], size[0]])
        x1, y1 = (_GRID * low.floor()).clamp(min=0).minimum(end).int().tolist()
        x2, y2 = (_GRID * high.ceil()).clamp(min=0).minimum(end).int().tolist()
        is_part = 0 < (x2 - x1) * (y2 - y1) < size[0] * size[1]
        return (x1, x2, y1, y2) if is_part and x1 < x2 else None


class CropFollower:
    """Finds the poses of frames one after the other, each in the crop that the last one led to.

    Args:
        predictor: of a model that sees whole images.
        settings: how the crop follows.
    """

    def __init__(self, predictor: Predictor, settings: DynamicCrop) -> None:
        self.predictor, self.settings = predictor, settings
        self.window: Window | None = None

    def on_frames(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Poses]]:
        """Yield frames that were read, in the order of time, each with its poses.

        The one after one that could not be read is seen whole.
        """
        samples, count = self.predictor.samples, self.predictor.info.num_individuals
        for frame in frames:
            job = _cropped(samples, frame, self.window)
            ((_, poses),) = self.predictor.run(iter([job]))
            is_read = frame.image is not None
            size = frame.meta.size
            self.window = self.settings.window(poses, size, count) if is_read else None
            yield frame, poses

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next frame depends on."""
        return {"window": np.array(self.window or (), np.int64)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where another follower was."""
        x1, x2, y1, y2 = state["window"].tolist() or (0, 0, 0, 0)
        self.window = (x1, x2, y1, y2) if x2 else None


def check_dynamic_crop(trained: Trained, samples: Samples) -> None:
    """Check that a model can look at crops of the frame, whatever their size.

    Args:
        trained: the model, on the CPU.
        samples: frames to what it sees.

    Raises:
        DataError: it cannot, or would see animals at another scale.
    """
    source, how = trained.source, "leave out the dynamic crop"
    if trained.takes_instances:
        raise DataError(
            f"{source} sees animals that are cut out for it already, and what looks for them "
            f"needs the whole frame: {how}"
        )
    if trained.info.unique is not None:
        raise DataError(
            f"{source} finds body parts that an image has once, wherever they are, and would not "
            f"see them in a crop around the animals: {how}"
        )
    if is_exported(source):
        raise DataError(f"{source} was exported for frames of one size: {how}")
    scales = []
    for size in _PROBES:
        image = np.zeros((*size, 3), np.uint8)
        (sample,) = samples.whole(Frame(Meta(0, "", size), image=image)).samples
        scales.append(sample.matrix[:, :2])
        try:
            predict_batch(trained.model, collate([sample]), device=torch.device("cpu"))
        except (RuntimeError, ValueError, DlcregError) as error:
            raise DataError(
                f"{source} does not see images of any size ({first_line(error)}): {how}"
            ) from error
    if not np.allclose(scales[0], scales[1], rtol=0.1):
        raise DataError(
            f"the transforms of {source} make all images alike in size, and so animals in a crop "
            f"larger than those it has learnt: {how}"
        )


def _cropped(samples: Samples, frame: Frame, window: Window | None) -> Job:
    """Return what a window shows of a frame as a job; its poses are in pixels of the frame."""
    if window is None or frame.image is None:
        return samples.whole(frame)
    x1, x2, y1, y2 = window
    image = frame.image[y1:y2, x1:x2]
    part = replace(frame, image=image, meta=replace(frame.meta, size=image.shape[:2]))
    job = samples.whole(part)
    shift = np.array([[0, 0, x1], [0, 0, y1]])
    job.samples = [replace(sample, matrix=sample.matrix + shift) for sample in job.samples]
    job.carried = frame
    return job
