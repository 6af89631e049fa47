"""From feature maps to coordinates, without a map in between."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dlcreg import HEADS, Codec, Head, Loss
from dlcreg_rle.codec import OUTPUT
from dlcreg_rle.precision import full_precision


@HEADS.register_module()
class RLEHead(Head):
    """Coordinates and sigmas of keypoints from the coarsest feature map (Li et al., 2021).

    Its mean over all cells, then one linear layer for coordinates and one for sigmas, in float32
    under autocast, too. Works on images of any size.

    Args:
        in_channels: channels of the feature maps, finest first; the last one is read.
        num_keypoints: number of keypoints K.
        codec: makes targets and poses: `RLECodec`.
        losses: ``keypoints``, such as `RLELoss`.

    Raises:
        ValueError: no keypoints, or losses that do not fit the codec.
    """

    def __init__(
        self, in_channels: Sequence[int], num_keypoints: int, codec: Codec, losses: dict[str, Loss]
    ) -> None:
        if num_keypoints < 1:
            raise ValueError(f"num_keypoints must be at least 1, not {num_keypoints}")
        super().__init__(codec, losses)
        self.num_keypoints = num_keypoints
        self.fc_coord = nn.Linear(in_channels[-1], 2 * num_keypoints)
        self.fc_sigma = nn.Linear(in_channels[-1], 2 * num_keypoints)
        for layer in (self.fc_coord, self.fc_sigma):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return ``keypoints`` ``(B, K, 4)``, see `RLECodec`, of maps ``(B, C, h, w)``."""
        with full_precision(features[-1]):
            x = features[-1].float().mean(dim=(2, 3))  # (B, C)
            pairs = (layer(x).unflatten(1, (-1, 2)) for layer in (self.fc_coord, self.fc_sigma))
            return {OUTPUT: torch.cat(tuple(pairs), dim=-1)}
