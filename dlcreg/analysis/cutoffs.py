"""Whether a cut-off leaves anything of what a model found."""

from __future__ import annotations

import logging
import math

import numpy as np

from dlcreg.recording import Recording

logger = logging.getLogger("dlcreg")


def warn_of_cutoff(recording: Recording, pcutoff: float) -> None:
    """Warn where no point that was found reaches a cut-off, and name one that most points do."""
    scores = recording.scores[np.isfinite(recording.keypoints).all(axis=-1)]
    if recording.unique is not None:
        unique = recording.unique[np.isfinite(recording.unique[..., :2]).all(axis=-1)]
        scores = np.concatenate([scores, unique[:, 2]])
    if not len(scores) or scores.max() >= pcutoff:
        return
    logger.warning(
        "no point reaches %g, the highest is %.2g: try --pcutoff %g",
        *(pcutoff, scores.max(), _one_digit(float(np.quantile(scores, 0.25)))),
    )


def _one_digit(value: float) -> float:
    """Return a likelihood rounded down to its first digit.

    >>> _one_digit(0.27), _one_digit(0.034), _one_digit(0.0)
    (0.2, 0.03, 0.0)
    """
    if value <= 0:
        return 0.0
    digits = max(1, -math.floor(math.log10(value)))
    return math.floor(value * 10**digits) / 10**digits
