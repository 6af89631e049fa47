"""Which predicted box is which labelled one."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.ops import box_convert, box_iou

from dlcreg.structures import Instances, Poses

MIN_OVERLAP = 0.5
"""Intersection over union from which on a box counts as found, by COCO's easiest threshold."""


def match_boxes(
    poses: Poses, instances: Instances, margin: float = 0.0
) -> tuple[list[tuple[int, int, float]], int, int]:
    """Pair predicted with labelled boxes.

    Predictions, the surest first, each take the labelled box of the highest intersection over union
    that is still free, if it is `MIN_OVERLAP` at least.

    Args:
        poses: CPU tensors with B = 1.
        instances: numpy, the animals of the image.
        margin: see `boxes_of`.

    Returns:
        Triples of prediction, label and their intersection over union, the number of labelled
        animals that no prediction took, and the number of predictions that took none.
    """
    boxes, known = boxes_of(poses, margin)
    labelled = np.asarray(instances.boxes, np.float64)
    free = np.asarray(instances.valid, bool) & (labelled[:, 2:] > 0).all(axis=-1)
    scores = poses.instance_scores[0].numpy()
    order = sorted(np.flatnonzero(known).tolist(), key=lambda row: -float(scores[row]))
    corners = (box_convert(torch.from_numpy(rows), "xywh", "xyxy") for rows in (boxes, labelled))
    overlap = box_iou(*corners).numpy()
    pairs = []
    for row in order:
        candidates = np.where(free, overlap[row], -1.0)
        best = int(candidates.argmax()) if len(candidates) else -1
        if best >= 0 and candidates[best] >= MIN_OVERLAP:
            free[best] = False
            pairs.append((row, best, float(candidates[best])))
    return pairs, int(free.sum()), len(order) - len(pairs)


def boxes_of(poses: Poses, margin: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes of an image's poses, float64 ``(N, 4)``, and which of them there are.

    Args:
        poses: CPU tensors with B = 1.
        margin: pixels around the keypoints that were found, where there are no boxes.

    Returns:
        x, y, width, height, and bool ``(N,)``: False for padding, and where nothing was found.
    """
    valid = poses.valid[0].numpy()
    if poses.boxes is not None:
        boxes = poses.boxes[0].numpy().astype(np.float64)
        return boxes, valid & np.isfinite(boxes).all(axis=-1)
    points = poses.keypoints[0].numpy().astype(np.float64)
    found = np.asarray(np.isfinite(points).all(axis=-1))[..., None]  # (N, K, 1)
    low = np.where(found, points, np.inf).min(axis=1, initial=np.inf) - margin
    high = np.where(found, points, -np.inf).max(axis=1, initial=-np.inf) + margin
    known = valid & found[..., 0].any(axis=1)
    boxes = np.concatenate([low, high - low], axis=-1)
    return np.where(known[:, None], boxes, 0.0), known
