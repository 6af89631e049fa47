"""How far likelihoods can be trusted, and where to cut them off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cutoff:
    """A cut-off that is suggested, and what it does to the points that it was found on.

    Args:
        value: likelihood from which a point counts.
        kept: share of all points that are kept.
        right: share of the kept points that are right; NaN where none is kept.
    """

    value: float
    kept: float
    right: float


def suggested_cutoff(scores: np.ndarray, right: np.ndarray) -> Cutoff | None:
    """Return the cut-off that best tells right points from wrong ones.

    It is the one with the largest difference between the share of right points that are kept and
    the share of wrong points that are (Youden, 1950), half-way between the likelihoods of two
    points. Where nothing is wrong, all is kept; None where nothing is right.

    Args:
        scores: float ``(P,)``, likelihoods.
        right: bool ``(P,)``, whether the point is as near to its label as is asked for.
    """
    if not right.any():
        return None
    if right.all():
        return Cutoff(float(scores.min()), 1.0, 1.0)
    order = np.argsort(scores, kind="stable")
    ordered, good = scores[order], right[order]
    dropped_right = np.r_[0, np.cumsum(good)] / good.sum()
    dropped_wrong = np.r_[0, np.cumsum(~good)] / (~good).sum()
    between = np.r_[True, np.diff(ordered) > 0, False]  # no cut between equal likelihoods
    gain = np.where(between, dropped_wrong - dropped_right, -np.inf)
    at = int(gain.argmax())
    low = ordered[at - 1] if at else ordered[0]
    kept = good[at:]
    return Cutoff(float((low + ordered[at]) / 2), len(kept) / len(good), float(kept.mean()))


def reliability(
    scores: np.ndarray, right: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how often points of about a likelihood are right, by bins from 0 to 1.

    Args:
        scores: float ``(P,)``, likelihoods; those above 1 count as 1.
        right: bool ``(P,)``.
        bins: their number.

    Returns:
        mean likelihood, share that is right (both NaN for an empty bin) and number of the points of
        each bin.
    """
    index = np.clip((scores * bins).astype(int), 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = np.bincount(index, scores, bins) / counts
        shares = np.bincount(index, right, bins) / counts
    return means, shares, counts
