"""The contract of detectors."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from dlcreg.structures import Boxes, Instances


class Detector(nn.Module, ABC):
    """Images to boxes around the animals, for models that see one animal at a time."""

    @abstractmethod
    def predict(self, images: Tensor) -> Boxes:
        """Return boxes in pixels of images ``(B, 3, H, W)``, uint8 or normalised floats."""

    def loss(self, images: Tensor, instances: Instances) -> dict[str, Tensor]:
        """Return weighted losses by name; a detector that learns nothing has none.

        Args:
            images: ``(B, 3, H, W)``, uint8 or normalised floats.
            instances: tensors ``(B, N, ...)``, boxes in pixels of `images`.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be trained")
