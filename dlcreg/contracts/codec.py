"""The contract of codecs: keypoints to targets, outputs to poses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from dlcreg.contracts.types import Outcomes, Size, Targets
from dlcreg.structures import Instances, Poses


class Codec(ABC):
    """Targets and decoding, the pair that belongs together: ``decode(encode(k))`` gives k back.

    Both are batched torch on the device of their inputs, without a Python loop over keypoints,
    instances or pixels.

    Args:
        stride: pixels of the model input for each cell of the output. None: the head that owns
            the codec says it.

    Attributes:
        extra_cells: columns at the right and rows at the bottom that a map has beyond those that
            cover the input, as a transposed convolution without padding makes them; the head that
            owns the codec says it.
    """

    max_individuals: ClassVar[int | None] = 1
    """How many animals `decode` can find in one image; None for any number."""

    activation: str | None = "none"
    """What `decode` applies to its first output: ``none``, ``sigmoid`` or ``softmax`` over the map.
    None: the head sets it to what the loss of that output implies."""

    mirrored_shift: int = 0
    """Pixels by which images are moved to the left once they are mirrored, for `flip`: with cells
    that do not mirror onto themselves, they may then. The columns that become free at the right
    stay as they were."""

    calibrates: bool = False
    """Whether `calibrate` is to be called at the end of a training."""

    def __init__(self, stride: float | None = None) -> None:
        self.stride = stride
        self.extra_cells = 0

    def map_size(self, size: Size) -> Size:
        """Return height and width of the output maps for a model input of `size`."""
        stride = self._known_stride()
        height, width = (-int(-length // stride) + self.extra_cells for length in size)
        return height, width

    def _known_stride(self) -> float:
        if self.stride is None:
            raise ValueError(f"{type(self).__name__} needs a stride: give stride=... or a head")
        return self.stride

    @abstractmethod
    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return the number of channels of each output that `encode` and `decode` speak of."""

    @abstractmethod
    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return target and weight for each output.

        Args:
            instances: tensors ``(B, N, ...)`` in pixels of the model input.
            size: height and width of the model input.
        """

    @abstractmethod
    def decode(self, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """Return poses in pixels of the model input.

        Args:
            outputs: what the head's forward gives, without the activation that a loss such as
                `BCELoss` may imply: a codec applies its own.
            size: height and width of the model input. Maps tell their pixels by the stride alone;
                coordinates relative to the input need it.
        """

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the outputs of a mirrored input as if the input had not been mirrored.

        Args:
            outputs: outputs of the head on images mirrored left to right.
            flip_index: int64 ``(K,)``, for each keypoint the index of its twin.
        """
        raise NotImplementedError(f"{type(self).__name__} has no flip test")

    def resize(self, outputs: Mapping[str, Tensor], scale: float, size: Size) -> dict[str, Tensor]:
        """Return the outputs of a resized input as if the input had not been resized.

        Args:
            outputs: outputs of the head on images resized by `scale`, so that their outer edges
                lie on one another; the last cells may belong to padding.
            scale: above 1 for images that were made larger.
            size: height and width of the input that was not resized.
        """
        raise NotImplementedError(f"{type(self).__name__} has no multi-scale test")

    def decode_scales(
        self, outputs: Sequence[Mapping[str, Tensor]], scales: Sequence[float], size: Size
    ) -> Poses:
        """Return poses of an input that was seen at several scales, in pixels of the input itself.

        By default those of the mean outputs.

        Args:
            outputs: for each scale, as `resize` takes them.
            scales: one of them is 1.
            size: height and width of the input that was not resized.
        """
        alike = [self.resize(one, scale, size) for one, scale in zip(outputs, scales, strict=True)]
        mean = {name: torch.stack([one[name] for one in alike]).mean(dim=0) for name in alike[0]}
        return self.decode(mean, size)

    def calibrate(self, outcomes: Outcomes) -> dict[str, Any]:
        """Choose how to decode, by what the trained model gives on the training part.

        For codecs whose `calibrates` is True. Such a codec is an ``nn.Module``, too, and keeps what
        it chooses in a buffer: checkpoints hold it, and a model that loads them decodes by it.

        Args:
            outcomes: for each batch, the outputs of the head as `decode` takes them and the labels
                as `encode` takes them.

        Returns:
            What was chosen, to be said on the console: texts or numbers by what they are.
        """
        raise NotImplementedError(f"{type(self).__name__} has nothing to calibrate")


class CompletingCodec(Codec):
    """Targets and reading of what completes the poses of another head, such as who is who.

    It says what the outputs of its head tell of poses that another head of the model has found: in
    place of `decode` it has `complete`. A head that owns it is a completing head, whatever its
    class.
    """

    max_individuals: ClassVar[int | None] = None

    @abstractmethod
    def complete(self, poses: Poses, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """Return the poses with more known of them; those that were given are left as they are.

        Args:
            poses: what another head has found, in pixels of the model input; there may be none
                (N = 0), rows that only pad, and keypoints that were not found (NaN).
            outputs: what this head's forward gives.
            size: height and width of the model input.
        """

    def decode(self, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """There are no poses of its own.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{type(self).__name__} completes poses, and has none of its own")
