"""Coordinates as shares of the image, and how sure the model is of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcreg import CODECS, Codec, Instances, Poses
from dlcreg.contracts import Size, Targets

OUTPUT = "keypoints"
"""Name of the output ``(B, K, 4)``: x, y, and sigma of x and of y before the sigmoid."""


@CODECS.register_module()
class RLECodec(Codec):
    """Coordinates relative to the image, for regression (Li et al., 2021); one animal an image.

    Along a side of W pixels, pixel x is ``(x + 0.5) / W - 0.5``: pixel centres have integer
    coordinates, the edges of the image lie at -0.5 and 0.5, its middle at 0. Mirroring is a change
    of sign, and an image of another size but the same content has the same coordinates. Height
    and width are taken each by itself.

    The output ``keypoints`` is ``(B, K, 4)``: x, y, and the logits of sigma of x and of y. The
    likelihood of a keypoint is 1 minus the mean of its two sigmas, as in the paper; it tells good
    from bad keypoints, but is no probability.

    Images of any size are decoded. Of several animals the first one with a label counts.
    """

    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return K rows of keypoints."""
        return {OUTPUT: num_keypoints}

    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return coordinates ``(B, K, 2)`` and their weight ``(B, K, 1)``.

        Args:
            instances: tensors ``(B, N, ...)`` in pixels of the model input.
            size: height and width of the model input.
        """
        known = (instances.visibility > 0) & instances.valid[..., None]  # (B, N, K)
        # a row without labels at the end: an image may have no animal at all
        known = F.pad(known, (0, 0, 0, 1))
        keypoints = F.pad(instances.keypoints, (0, 0, 0, 0, 0, 1))
        first = known.any(dim=-1).to(torch.uint8).argmax(dim=1)  # (B,)
        image = torch.arange(len(first), device=first.device)
        known, keypoints = known[image, first], keypoints[image, first]
        target = (keypoints + 0.5) / keypoints.new_tensor((size[1], size[0])) - 0.5
        target = target.masked_fill(~known[..., None], 0.0)
        return {OUTPUT: (target, known[..., None].to(target.dtype))}

    def decode(self, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """Return poses in pixels of the model input.

        Args:
            outputs: ``keypoints`` ``(B, K, 4)``.
            size: height and width of the model input.
        """
        share, logits = outputs[OUTPUT].split(2, dim=-1)
        keypoints = (share + 0.5) * share.new_tensor((size[1], size[0])) - 0.5
        scores = 1 - logits.sigmoid().mean(dim=-1)[:, None]
        valid = torch.ones_like(scores[..., 0], dtype=torch.bool)
        return Poses(keypoints[:, None], scores, scores.mean(dim=-1), valid)

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the outputs of a mirrored input as of the input; exact."""
        output = outputs[OUTPUT].index_select(1, flip_index)
        return {OUTPUT: output * output.new_tensor((-1.0, 1.0, 1.0, 1.0))}
