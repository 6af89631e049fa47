"""Poses in crops that another model proposed: how sure they are, and which are one animal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dlcreg.similarity import DEFAULT_SIGMA, object_similarity
from dlcreg.solvers.prediction import animals_of
from dlcreg.structures import Batch, Poses

KeypointScores = Literal["model", "deeplabcut"]
"""Whose the scores of keypoints in proposals are, see `of_proposals`."""

_LIKELY, _LEAST = 0.2, 0.05  # what DeepLabCut counts: keypoints, and conditions by their best one


def of_proposals(
    batch: Batch,
    poses: Poses,
    score_threshold: float | None,
    keypoint_scores: KeypointScores = "model",
) -> Poses:
    """Return the poses of crops with the scores and the boxes of the proposals (Xiao et al., 2018).

    The score of an animal is that of its proposal times the mean of its keypoints' scores above a
    threshold, 0 where there is none.

    Args:
        batch: instance crops, whose first animal has the box of the proposal.
        poses: on the CPU, in pixels of the original images.
        score_threshold: what a keypoint's score must exceed to count; None: the score of the
            proposal times the instance score that the model gives.
        keypoint_scores: those that the ``model`` gives; or, for samples with a condition, as in
            DeepLabCut: all keypoints of an animal have the mean score of its condition's keypoints
            times the mean of its likely ones, and one with an unlikely condition is none.
    """
    if keypoint_scores == "deeplabcut" and batch.condition is not None:
        poses = _scored_by_condition(poses, batch.condition[..., 2].to(poses.scores))
    scores = poses.instance_scores
    if score_threshold is not None:
        counted = poses.scores > score_threshold
        total = torch.where(counted, poses.scores, 0.0).sum(dim=-1)
        scores = total / counted.sum(dim=-1).clamp(min=1)
    proposed = torch.tensor([meta.score for meta in batch.meta]).to(scores)
    boxes = poses.boxes
    if boxes is None:
        given = replace(poses, boxes=batch.instances.boxes[:, :1].float()).to_image(batch.matrix)
        assert given.boxes is not None
        boxes = given.boxes.expand(-1, scores.shape[1], -1)
    return replace(poses, instance_scores=scores * proposed[:, None], boxes=boxes)


def _scored_by_condition(poses: Poses, condition: Tensor) -> Poses:
    """Return poses ``(B, N, K)`` with the scores that conditions ``(B, K)`` give them."""
    likely = poses.scores >= _LIKELY
    total = torch.where(likely, poses.scores, 0.0).sum(dim=-1)
    overall = total / likely.sum(dim=-1).clamp(min=1) * condition.mean(dim=-1, keepdim=True)
    found = poses.keypoints.isfinite().all(dim=-1)
    scores = torch.where(found, overall[..., None], 0.0)
    is_known = (condition.amax(dim=-1) >= _LEAST)[:, None]
    return replace(poses, scores=scores, valid=poses.valid & is_known)


def oks_nms(poses: Poses, sigmas: Sequence[float], threshold: float) -> Poses:
    """Return the poses of an image without those that are like a better one (Papandreou, 2017).

    Two are one animal where their object keypoint similarity, for the mean of the areas of their
    boxes, exceeds the threshold. Of a pair of poses the keypoints that both have found count.

    Args:
        poses: CPU tensors with B = 1 and `Poses.boxes`.
        sigmas: OKS constants per keypoint; none: 0.1 each.
        threshold: of the similarity, from 0 to 1.
    """
    count = int(poses.valid.shape[1])
    if count < 2 or poses.boxes is None:
        return poses
    alike = _similarity(poses, np.array(sigmas or [DEFAULT_SIGMA] * poses.scores.shape[-1]))
    scores = poses.instance_scores[0].masked_fill(~poses.valid[0], -torch.inf)
    keep: list[int] = []
    for row in scores.argsort(descending=True, stable=True).tolist():
        if poses.valid[0, row] and not (alike[row, keep] > threshold).any():
            keep.append(row)
    kept = torch.zeros_like(poses.valid)
    kept[0, keep] = True
    return animals_of(replace(poses, valid=kept), 0)


def _similarity(poses: Poses, sigmas: np.ndarray) -> np.ndarray:
    """Return the similarity of all poses with all, ``(N, N)``."""
    points = poses.keypoints[0].double().numpy()
    found = np.isfinite(points).all(axis=-1) & (poses.scores[0].numpy() > 0)
    points = np.where(found[..., None], points, np.nan)
    area: Tensor = poses.boxes[0, :, 2:].double().prod(dim=-1)  # type: ignore[index]
    areas = ((area[:, None] + area[None]) / 2).numpy()
    shared = (found[:, None] & found[None]).sum(axis=-1)
    alike = object_similarity(points, np.nan_to_num(points), found, areas, sigmas)
    # the mean over what the one has found, made that over what both have
    return np.asarray(alike * found.sum(axis=-1)[None] / np.maximum(shared, 1))
