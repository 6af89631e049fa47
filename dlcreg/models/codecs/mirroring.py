"""Outputs of mirrored images as outputs of the images themselves, for the flip test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def mirror_images(images: Tensor, shift: int = 0) -> Tensor:
    """Return images ``(..., w)`` mirrored, then moved to the left.

    Args:
        images: the last axis runs from left to right.
        shift: pixels to the left; the last columns, which become free, stay as they were.
    """
    mirrored = images.flip(-1)
    if not shift:
        return mirrored
    return torch.cat([mirrored[..., shift:], mirrored[..., -shift:]], dim=-1)


def mirror(maps: Tensor, flip_index: Tensor, shift: int = 0) -> Tensor:
    """Return maps ``(B, K, h, w)``, or rows ``(B, K, w)``, of a mirrored image as of the image.

    Args:
        maps: outputs on images mirrored left to right.
        flip_index: int64 ``(K,)``, index of each keypoint's twin.
        shift: cells to move right afterwards, where the grid of cells does not mirror onto itself,
            or left if negative; those that nothing moves to keep their own values.
    """
    mirrored = maps.flip(-1).index_select(1, flip_index)
    if shift > 0:
        mirrored = torch.cat([mirrored[..., :shift], mirrored[..., :-shift]], dim=-1)
    elif shift < 0:
        mirrored = torch.cat([mirrored[..., -shift:], mirrored[..., shift:]], dim=-1)
    return mirrored


def mirror_locref(locref: Tensor, flip_index: Tensor, std: float, shift: float) -> Tensor:
    """Return location refinement ``(B, 2K, h, w)`` of a mirrored image as of the image itself.

    Args:
        locref: outputs on images mirrored left to right.
        flip_index: int64 ``(K,)``.
        std: pixels for a value of 1.
        shift: pixels from a cell's centre to the mirrored centre of the opposite cell.
    """
    b, channels, h, w = locref.shape
    pairs = locref.flip(-1).reshape(b, channels // 2, 2, h, w).index_select(1, flip_index)
    x, y = pairs.unbind(2)
    return torch.stack([shift / std - x, y], dim=2).flatten(1, 2)


def mirror_fields(fields: Tensor, twins: Sequence[int], signs: Sequence[float]) -> Tensor:
    """Return part affinity fields ``(B, 2L, h, w)`` of a mirrored image as of the image itself.

    Args:
        fields: outputs on images mirrored left to right.
        twins: for each edge the index of the edge between the twins of its keypoints.
        signs: 1 where that one points the same way, -1 where it points back.
    """
    b, _, h, w = fields.shape
    pairs = fields.flip(-1).reshape(b, len(twins), 2, h, w)
    pairs = pairs.index_select(1, torch.tensor(twins, device=fields.device))
    turned = fields.new_tensor([[-sign, sign] for sign in signs])  # x points the other way
    return (pairs * turned[..., None, None]).flatten(1, 2)


def mirror_outputs(
    outputs: Mapping[str, Tensor], flip_index: Tensor, locref_std: float | None, shift: float
) -> dict[str, Tensor]:
    """Return heatmap and, where there is one, locref of a mirrored image as of the image itself.

    Arguments as for `mirror` and `mirror_locref`; without location refinement `locref_std` is None.
    """
    mirrored = {"heatmap": mirror(outputs["heatmap"], flip_index)}
    if locref_std is not None:
        mirrored["locref"] = mirror_locref(outputs["locref"], flip_index, locref_std, shift)
    return mirrored
