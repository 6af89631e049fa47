"""Poses made of detections; keypoints that were not found are NaN with the score 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dlcreg.models.codecs.paf_detection import Detections
from dlcreg.models.codecs.paf_growth import Assembly
from dlcreg.structures import Poses


def best_detections(found: Detections, min_score: float) -> Poses:
    """Return poses of one animal an image: the best detection of each keypoint.

    Args:
        found: detections of B images.
        min_score: score from which on a keypoint counts as found.
    """
    seen = found.found[..., 0] & (found.scores[..., 0] >= min_score)  # (B, K)
    keypoints = found.keypoints[:, :, 0].masked_fill(~seen[..., None], torch.nan)
    scores = found.scores[:, :, 0].masked_fill(~seen, 0.0)
    return Poses(
        keypoints[:, None],
        scores[:, None],
        scores.mean(dim=-1, keepdim=True),
        seen.any(dim=-1, keepdim=True),
    )


def assembled(found: Detections, images: Sequence[Sequence[Assembly]], most: int | None) -> Poses:
    """Return the poses of the assemblies of each image.

    The score of an animal is the mean score of its keypoints, those not found counting 0, times
    the mean affinity of its links, at most 1.

    Args:
        found: detections of B images.
        images: the assemblies of each.
        most: rows of the result; None for as many as are needed.
    """
    b, k, _ = found.scores.shape
    rows = most or max(map(len, images), default=0)
    node = np.full((b, rows, k), -1)
    affinity = np.zeros((b, rows), np.float32)
    for image, assemblies in enumerate(images):
        for row, assembly in enumerate(assemblies):
            node[image, row, list(assembly.nodes)] = list(assembly.nodes.values())
            affinity[image, row] = assembly.affinity / len(assembly.links)
    chosen = torch.from_numpy(node).to(found.scores.device)
    seen = chosen >= 0
    at = chosen.clamp(min=0).flatten(1)  # (B, N K)
    keypoints = found.keypoints.flatten(1, 2).gather(1, at[..., None].expand(*at.shape, 2))
    scores = found.scores.flatten(1).gather(1, at).view_as(chosen)
    keypoints = keypoints.view(*chosen.shape, 2).masked_fill(~seen[..., None], torch.nan)
    scores = scores.masked_fill(~seen, 0.0)
    links = torch.from_numpy(affinity).to(scores).clamp(0, 1)
    return Poses(keypoints, scores, scores.mean(dim=-1) * links, seen.any(dim=-1))
