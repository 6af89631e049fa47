"""Where the animals of an image are, and how they stand, for models that see one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np

from dlcreg.data.proposals import ImageProposals, Proposals
from dlcreg.errors import DataError
from dlcreg.inference.checkpoint import Trained
from dlcreg.inference.sources import Frame
from dlcreg.structures import Meta, Poses

Found = Iterator[tuple[Frame, ImageProposals]]
Ask = Callable[[np.ndarray, Meta], Any]
"""The image, uint8 ``(H, W, 3)`` RGB, and where it is from, to boxes ``(N, 4)`` as x, y, width,
height in pixels, or `ImageProposals`, or `Poses` with B = 1."""


@runtime_checkable
class FindsPoses(Protocol):
    """What `Predictor` is to whoever takes its poses as proposals."""

    def on_frames(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Poses]]:
        """Yield the frames in order, each with its poses in pixels of the image."""


def proposer_of(proposals: Any) -> Callable[[Iterable[Frame]], Found]:
    """Return what finds the proposals of frames, in order.

    Args:
        proposals: a model that finds poses, `Proposals`, or a function (see `Ask`).

    Raises:
        DataError: it is nothing of the kind.
    """
    if isinstance(proposals, FindsPoses):
        return lambda frames: (
            (frame, of_poses(frame.meta, poses)) for frame, poses in proposals.on_frames(frames)
        )
    if isinstance(proposals, Proposals):
        return lambda frames: (
            (frame, proposals.of(frame.meta.image_id, frame.meta.path or None)) for frame in frames
        )
    if callable(proposals):
        return lambda frames: ((frame, _asked(proposals, frame)) for frame in frames)
    raise DataError(
        "proposals must be a Predictor, the path of a checkpoint or of a JSON file, Proposals, or "
        f"a function of an image and its Meta that returns boxes, not {type(proposals).__name__}"
    )


def check_proposals(trained: Trained, proposals: Any) -> None:
    """Check that a model has the proposals that it needs, as far as this can be told of no image.

    Raises:
        DataError: it needs some and has none, takes none and has some, or looks at the poses of a
            model that finds other keypoints.
    """
    if not trained.takes_instances:
        if proposals is not None:
            raise DataError(f"{trained.source} sees whole images: leave out proposals")
        return
    if proposals is None:
        what = "the pose of an animal" if trained.needs_condition else "one animal at a time"
        raise DataError(
            f"{trained.source} sees {what}, and is to be told where: give proposals, such as the "
            "checkpoint of a detector or of a model that sees whole images, a JSON file of its "
            "results, or (in Python) a function that returns boxes"
        )
    names = getattr(proposals, "keypoint_names", None)
    known = trained.info.keypoint_names
    if trained.needs_condition and names is not None and names != known:
        raise DataError(
            f"{trained.source} looks at poses of the keypoints {', '.join(known)}, and the model "
            f"that proposes them finds {', '.join(names)}"
        )


def of_poses(meta: Meta, poses: Poses) -> ImageProposals:
    """Return the poses of one image, B = 1, as proposals."""
    ((_, _, found),) = Proposals.from_poses([(meta, poses)])
    return found


def _asked(ask: Ask, frame: Frame) -> ImageProposals:
    if frame.image is None:
        return _boxes(np.zeros((0, 4)), "")
    answer = ask(frame.image, frame.meta)
    if isinstance(answer, ImageProposals):
        return answer
    if isinstance(answer, Poses):
        return of_poses(frame.meta, answer)
    return _boxes(answer, getattr(ask, "__name__", type(ask).__name__))


def _boxes(values: Any, name: str) -> ImageProposals:
    boxes = np.asarray(values, np.float32)
    boxes = boxes.reshape(-1, 4) if boxes.size in (0, 4) else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise DataError(
            f"{name} returned an array of shape {boxes.shape}; boxes (N, 4) of finite numbers are "
            "wanted: x, y, width, height"
        )
    if (boxes[:, 2:] <= 0).any():
        raise DataError(f"{name} returned a box without width or height")
    count = len(boxes)
    return ImageProposals(boxes, np.ones(count, np.float32), None, np.zeros(count, bool))
