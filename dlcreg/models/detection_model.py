"""The model of boxes: normalises images, runs a detector, and keeps the best of what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms, box_convert

from dlcreg.contracts import Detector
from dlcreg.models.layers.normalise import Normalise
from dlcreg.registry import MODELS
from dlcreg.structures import Boxes, Instances, Poses


@MODELS.register_module()
class DetectionModel(nn.Module):
    """A detector, trained and measured as any other model.

    What it predicts are poses without keypoints: each has a box and a score, so that evaluation and
    all that takes poses takes them as well.

    Args:
        detector: images to boxes.
        max_animals: most boxes of an image that are kept, the best ones; None: as many as there
            are animals in an image at most.
        min_score: boxes below this likelihood are left out.
        nms: overlap (intersection over union) above which the worse of two boxes is left out;
            None: what the detector finds is kept as it is.
        mean: mean of each channel, for values of 0 to 1, in `channel_order`; None: what the
            detector is made for.
        std: standard deviation of each channel, likewise.
        channel_order: order of channels that the detector was made for.
        num_individuals: animals in an image at most.
        num_keypoints: number of keypoints K, none of which is found.

    Raises:
        ValueError: numbers that make no sense.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        max_animals: int | None = None,
        min_score: float = 0.05,
        nms: float | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        channel_order: Literal["RGB", "BGR"] = "RGB",
        num_individuals: int = 1,
        num_keypoints: int = 0,
    ) -> None:
        super().__init__()
        if max_animals is not None and max_animals < 1:
            raise ValueError(f"max_animals={max_animals}: give 1 or more")
        if not 0 <= min_score < 1:
            raise ValueError(f"min_score={min_score:g}: give a likelihood from 0 to below 1")
        if nms is not None and not 0 <= nms <= 1:
            raise ValueError(f"nms={nms:g}: an overlap lies between 0 and 1")
        mean, std = mean or detector.image_mean, std or detector.image_std
        self.normalise = Normalise(mean, std, channel_order)
        self.detector = detector
        self.max_animals = max_animals or num_individuals
        self.min_score, self.nms, self.num_keypoints = min_score, nms, num_keypoints

    def forward(
        self,
        images: Tensor,
        mode: Literal["tensor", "loss", "predict"] = "tensor",
        instances: Instances | None = None,
        flip_test: bool = False,
        scales: Sequence[float] = (1,),
    ) -> Any:
        """Run the model.

        Args:
            images: uint8 RGB ``(B, 3, H, W)``, or floats that are normalised already.
            mode: ``tensor`` for the outputs, ``loss`` for the losses, ``predict`` for poses.
            instances: labels, tensors ``(B, N, ...)`` in pixels of `images`; for ``loss``.
            flip_test: look at the mirrored images, too, and keep the best of all boxes.
            scales: 1 alone: a detector sees images at the size that it is made for.

        Returns:
            ``tensor``: a dict of tensors; ``loss``: a dict of weighted losses whose sum is to be
            minimised; ``predict``: `Poses` in pixels of `images` with boxes and instance scores,
            best first; their keypoints are NaN with a score of 0.

        Raises:
            ValueError: an unknown mode, no labels for ``loss``, or several scales.
        """
        if tuple(scales) != (1,):
            raise ValueError(
                f"scales={tuple(scales)}: a detector sees images at the size that it is made for; "
                "leave evaluation.scales out"
            )
        images = self.normalise(images)
        if mode == "loss":
            if instances is None:
                raise ValueError("mode='loss' needs instances=, the labels of the images")
            return self.detector.loss(images, instances)
        if mode == "tensor":
            return self.detector(images)
        if mode != "predict":
            raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', not {mode!r}")
        found = self.detector.predict(images)
        if flip_test:
            found = _together(found, _mirrored(self.detector.predict(images.flip(-1)), images))
        nms = _TWICE if flip_test and self.nms is None else self.nms
        return self._poses(_best(found, self.max_animals, self.min_score, nms))

    def _poses(self, found: Boxes) -> Poses:
        scores = found.scores.new_zeros(*found.scores.shape, self.num_keypoints)
        return Poses(
            keypoints=torch.full_like(scores[..., None].expand(*scores.shape, 2), torch.nan),
            scores=scores,
            instance_scores=found.scores,
            valid=found.valid,
            boxes=found.boxes,
        )


_TWICE = 0.5
"""Overlap above which two boxes, one of them found in the mirrored image, are of one animal."""


def _mirrored(found: Boxes, images: Tensor) -> Boxes:
    """Return the boxes of mirrored images as if they had not been mirrored."""
    x, y, width, height = found.boxes.unbind(-1)
    x = images.shape[-1] - 1 - x - width
    return Boxes(torch.stack([x, y, width, height], dim=-1), found.scores, found.valid)


def _together(one: Boxes, other: Boxes) -> Boxes:
    return Boxes(
        torch.cat([one.boxes, other.boxes], dim=1),
        torch.cat([one.scores, other.scores], dim=1),
        torch.cat([one.valid, other.valid], dim=1),
    )


def _best(found: Boxes, most: int, min_score: float, nms: float | None) -> Boxes:
    """Return the best boxes of each image, best first."""
    valid = found.valid & (found.scores >= min_score)
    if nms is not None:
        image, row = valid.nonzero(as_tuple=True)
        corners = box_convert(found.boxes[image, row], "xywh", "xyxy")
        kept = batched_nms(corners, found.scores[image, row], image, nms)
        valid = torch.zeros_like(valid)
        valid[image[kept], row[kept]] = True
    ranked = found.scores.masked_fill(~valid, -torch.inf)
    index = ranked.topk(min(most, ranked.shape[1]), dim=1).indices
    valid = valid.gather(1, index)
    boxes = found.boxes.gather(1, index[..., None].expand(-1, -1, 4))
    return Boxes(
        boxes=boxes * valid[..., None], scores=found.scores.gather(1, index) * valid, valid=valid
    )
