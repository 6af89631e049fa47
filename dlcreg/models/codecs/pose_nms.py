"""Poses that were found more than once."""

from __future__ import annotations

import torch
from torch import Tensor


def pose_nms(
    keypoints: Tensor,
    scores: Tensor,
    found: Tensor,
    threshold: float,
    count: int,
    least: float = 0.0,
) -> Tensor:
    """Return which poses remain, bool ``(B, P)``: of poses that are one, that of the best score.

    The non-maximum suppression of DEKR (Geng et al., 2021): from the best pose on, each one that
    remains takes away all of which more than `count` keypoints lie nearer to its own than
    `threshold` times the diagonal of the larger of the two. All images at once.

    Args:
        keypoints: ``(B, P, K, 2)``; NaN for those that were not found, which lie near to none.
        scores: ``(B, P)``.
        found: bool ``(B, P)``; others neither remain nor take anything away.
        threshold: share of the diagonal.
        count: number of keypoints.
        least: the distance is at least this, in the unit of the keypoints.
    """
    order = torch.where(found, scores, -torch.inf).argsort(dim=1, descending=True, stable=True)
    sorted_points = keypoints.gather(1, order[..., None, None].expand_as(keypoints))
    missing = sorted_points.isnan()
    extent = (
        sorted_points.masked_fill(missing, -torch.inf).amax(dim=2)
        - sorted_points.masked_fill(missing, torch.inf).amin(dim=2)
    ).clamp(min=0.0)
    limit = (threshold * extent.norm(dim=-1)).clamp(min=least)  # (B, P)
    apart = (sorted_points[:, :, None] - sorted_points[:, None]).norm(dim=-1)  # (B, P, P, K)
    limit = torch.maximum(limit[:, :, None], limit[:, None])
    same = (apart < limit[..., None]).sum(dim=-1) > count
    keep = found.gather(1, order)
    # who is left depends on who was left before: a step for each rank, of all images
    for rank in range(keypoints.shape[1] - 1):
        taken = same[:, rank, rank + 1 :] & keep[:, rank, None]
        keep = torch.cat([keep[:, : rank + 1], keep[:, rank + 1 :] & ~taken], dim=1)
    return torch.zeros_like(keep).scatter(1, order, keep)
