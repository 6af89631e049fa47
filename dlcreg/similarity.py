"""How alike two animals are, whoever found or labelled them."""

from __future__ import annotations

import numpy as np


def object_similarity(
    predicted: np.ndarray,
    keypoints: np.ndarray,
    labelled: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
) -> np.ndarray:
    """Return the object keypoint similarity (OKS) of each prediction with each label.

    Args:
        predicted: float ``(P, K, 2)``, pixels; not finite where nothing was found.
        keypoints: float ``(N, K, 2)``, pixels.
        labelled: bool ``(N, K)``.
        areas: float ``(N,)``, or ``(P, N)`` one for each pair, square pixels.
        sigmas: float ``(K,)``, COCO's convention: the constant is twice sigma.

    Returns:
        float64 ``(P, N)``: the mean over the labelled keypoints of
        ``exp(-d^2 / (2 area (2 sigma)^2))``; a keypoint that was not found counts 0, an animal
        without a labelled keypoint gives 0.
    """
    squared = ((predicted[:, None].astype(np.float64) - keypoints[None]) ** 2).sum(-1)
    spread = 2 * np.maximum(areas, np.spacing(1.0))[..., None] * (2 * sigmas) ** 2
    similarity = np.exp(-np.where(np.isfinite(squared), squared, np.inf) / spread)
    count = labelled.sum(-1)
    total = (similarity * labelled[None]).sum(-1)
    return np.asarray(total / np.maximum(count, 1))
