"""How alike two animals are, whoever found or labelled them."""

from __future__ import annotations

import numpy as np

from dlcreg.structures import DatasetInfo

DEFAULT_SIGMA = 0.1
"""OKS constant of keypoints of which the data says nothing: DeepLabCut's of every keypoint."""

_ASPECT = 0.25  # least share of a side of an animal's extent in the other one


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


def sigmas_of(info: DatasetInfo) -> np.ndarray:
    """Return the OKS constants ``(K,)`` of the keypoints of a data set."""
    return np.array(info.sigmas or [DEFAULT_SIGMA] * info.num_keypoints)


def thick_sides(sides: np.ndarray, least: float) -> np.ndarray:
    """Return the sides of animals' extents as they count: one that lies level has an area, too.

    Args:
        sides: float ``(..., 2)``, pixels.
        least: pixels that a side is long at least; and it is a quarter of the other one.
    """
    longest = sides.max(axis=-1, keepdims=True, initial=0.0)
    return np.asarray(np.maximum(sides, np.maximum(_ASPECT * longest, least)))
