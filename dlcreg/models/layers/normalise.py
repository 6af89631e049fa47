"""Images as they are read to images as a network is made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """Integer images to normalised floats, on the device that they are on.

    The channels are brought into `channel_order`, scaled to 0 to 1, and `mean` and `std` applied.
    Floating-point images are taken as normalised, and are returned as they are.

    Args:
        mean: mean of each channel, for values of 0 to 1, in `channel_order`; None: ImageNet's.
        std: standard deviation of each channel, likewise.
        channel_order: order of channels that the network was made for.

    Raises:
        ValueError: values that make no sense.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        channel_order: Literal["RGB", "BGR"] = "RGB",
    ) -> None:
        super().__init__()
        if channel_order not in ("RGB", "BGR"):
            raise ValueError(f"channel_order must be 'RGB' or 'BGR', not {channel_order!r}")
        mean, std = mean or IMAGENET_MEAN, std or IMAGENET_STD
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"mean and std need 3 values each, std above 0: {mean}, {std}")
        self.channel_order = channel_order
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return normalised floats ``(B, 3, H, W)`` of uint8 RGB images ``(B, 3, H, W)``."""
        if images.is_floating_point():
            return images
        if self.channel_order == "BGR":
            images = images.flip(1)
        # a product, for albumentations has one: what is rounded otherwise is other pixels
        return (images.to(self.mean.dtype) - self.mean) * self.std.reciprocal()
