"""The contract of detectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcreg.contracts.types import Size
from dlcreg.structures import Boxes, Instances

SMALLEST = 1.0
"""Pixels that both sides of a box have at least; a smaller one cannot be seen."""


class Detector(nn.Module, ABC):
    """Images to boxes around the animals, for models that see one animal at a time.

    Boxes lie in pixels of the images that it is given, whatever it resizes them to itself.
    """

    image_mean: ClassVar[tuple[float, float, float] | None] = None
    """Mean of each channel, for values of 0 to 1, of the images that its weights are made for;
    None: that of ImageNet. `DetectionModel` goes by it where its config says nothing of ``mean``.
    """

    image_std: ClassVar[tuple[float, float, float] | None] = None
    """Standard deviation of each channel, likewise."""

    @abstractmethod
    def predict(self, images: Tensor) -> Boxes:
        """Return boxes in pixels of normalised images ``(B, 3, H, W)``, N as many as it likes.

        In evaluation mode what is found in an image does not depend on the others.
        """

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return by name what the network says of normalised images, before boxes are chosen of it.

        A config is checked, and a model's cost counted, by tensors whose shapes do not depend on
        what is in the images. By default these are the boxes.
        """
        found = self.predict(images)
        return {item.name: getattr(found, item.name) for item in fields(found)}

    def loss(self, images: Tensor, instances: Instances) -> dict[str, Tensor]:
        """Return weighted losses by name; a detector that learns nothing has none.

        Args:
            images: normalised floats ``(B, 3, H, W)``.
            instances: tensors ``(B, N, ...)``, boxes in pixels of `images`; `targets` are those to
                learn, of which there may be none.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be trained")

    @property
    def learns(self) -> bool:
        """Whether it has a loss."""
        return type(self).loss is not Detector.loss

    def targets(self, instances: Instances, size: Size) -> Boxes:
        """Return the boxes of labels that can be seen, cut at the border of the image.

        Args:
            instances: tensors ``(B, N, ...)``.
            size: height and width of the images.

        Returns:
            boxes ``(B, N, 4)``; not valid are those of padding, and those of which less than a
            pixel is left along a side: all else of them is 0.
        """
        height, width = size
        edge = instances.boxes.new_tensor([width, height]) - 0.5
        low = instances.boxes[..., :2].clamp(min=-0.5)
        high = torch.minimum(instances.boxes[..., :2] + instances.boxes[..., 2:], edge)
        extent = high - low
        valid = instances.valid & (extent >= SMALLEST).all(dim=-1)
        boxes = torch.where(valid[..., None], torch.cat([low, extent], dim=-1), 0.0)
        return Boxes(boxes, valid.to(boxes.dtype), valid)
