"""Filters over time: jumps taken out, noise smoothed, short gaps filled."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.linalg import solveh_banded

from dlcreg.errors import DataError, DlcregError
from dlcreg.recording import Recording

Method = Literal["median", "spline", "arima"]
Smoother = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From points ``(F, 2)`` without a gap and weights ``(F,)`` to points ``(F, 2)``."""

FITTED = 500  # frames from which ARIMA learns its coefficients; more change them little


def filtered(
    recording: Recording,
    method: Method = "median",
    window: int = 5,
    *,
    pcutoff: float = 0.0,
    max_gap: int | None = None,
    ar: int = 3,
    ma: int = 1,
) -> Recording:
    """Return a recording whose keypoints and unique body parts are filtered over time.

    What was not found, and what is less likely than `pcutoff`, is a gap. Gaps of at most `max_gap`
    frames between two finds are filled, longer ones are left as they are; nothing is carried on
    before the first find or after the last. Likelihoods are kept, so that a filled point can be
    told from a found one; that of a point which the cut-off took away is 0.

    Args:
        recording: a tracked one, or one with a single row; left as it is.
        method: ``median`` is the running median, which takes out jumps and keeps edges. ``spline``
            is the discrete smoothing spline (Whittaker, 1923; Eilers, 2003), weighted by
            likelihood, which lets half of a movement with a period of `window` frames pass.
            ``arima`` is the Kalman smoother of an ARIMA process with noise of measurement (Durbin
            and Koopman, 2012), fitted to each coordinate.
        window: frames, odd.
        pcutoff: likelihood below which a point counts as not found.
        max_gap: frames; None: `window`.
        ar: order of the autoregression of ``arima``.
        ma: order of its moving average.

    Raises:
        DataError: rows are not the same animal in all frames.
        DlcregError: an argument is out of range, or ``arima`` without statsmodels.
    """
    _check(method, window, pcutoff, max_gap, ar, ma)
    if not recording.tracked and recording.keypoints.shape[1] > 1:
        raise DataError(
            "the animals of this recording are in the order in which they were found, another one "
            "in each frame. Track them first, then filter."
        )
    smoothers: dict[str, Callable[[], Smoother]] = {
        "median": lambda: _median(window),
        "spline": lambda: _spline(window),
        "arima": lambda: _arima(ar, ma),
    }
    smooth = smoothers[method]()
    longest = window if max_gap is None else max_gap
    keypoints, scores = recording.keypoints.copy(), recording.scores.copy()
    for row in range(keypoints.shape[1]):
        for k in range(keypoints.shape[2]):
            _filter(keypoints[:, row, k], scores[:, row, k], smooth, pcutoff, longest)
    unique = recording.unique
    if unique is not None:
        unique = unique.copy()
        for k in range(unique.shape[1]):
            _filter(unique[:, k, :2], unique[:, k, 2], smooth, pcutoff, longest)
    return replace(
        recording,
        keypoints=keypoints,
        scores=scores,
        unique=unique,
        provenance={
            **recording.provenance,
            "filter": {
                "method": method,
                "window": window,
                "pcutoff": pcutoff,
                "max_gap": longest,
                **({"ar": ar, "ma": ma} if method == "arima" else {}),
            },
        },
    )


def _check(method: str, window: int, pcutoff: float, max_gap: int | None, ar: int, ma: int) -> None:
    if method not in ("median", "spline", "arima"):
        raise DlcregError(f"method={method!r}: give median, spline or arima")
    if window < 3 or window % 2 == 0:
        raise DlcregError(f"window={window}: give an odd number of frames from 3 on")
    if not 0 <= pcutoff <= 1:
        raise DlcregError(f"pcutoff={pcutoff:g}: a likelihood lies between 0 and 1")
    if max_gap is not None and max_gap < 0:
        raise DlcregError(f"max_gap={max_gap}: give 0 or more frames")
    if ar < 0 or ma < 0:
        raise DlcregError(f"ar={ar}, ma={ma}: give orders of 0 or more")


def _filter(
    points: np.ndarray, scores: np.ndarray, smooth: Smoother, pcutoff: float, max_gap: int
) -> None:
    """Filter points ``(F, 2)`` and their scores ``(F,)`` in place."""
    found = np.isfinite(points).all(axis=1) & (scores >= pcutoff)
    points[~found] = np.nan
    scores[~found] = 0
    for start, stop in _stretches(found, max_gap):
        weights = np.where(found[start:stop], np.maximum(scores[start:stop], 1e-3), 0)
        points[start:stop] = smooth(_without_gaps(points[start:stop], weights > 0), weights)


def _stretches(found: np.ndarray, max_gap: int) -> list[tuple[int, int]]:
    """Return where the stretches begin and end that no gap of more than `max_gap` frames splits."""
    at = np.flatnonzero(found)
    if not len(at):
        return []
    cuts = np.flatnonzero(np.diff(at) > max_gap + 1)
    starts, stops = at[np.r_[0, cuts + 1]], at[np.r_[cuts, len(at) - 1]] + 1
    return list(zip(starts.tolist(), stops.tolist()))


def _without_gaps(points: np.ndarray, found: np.ndarray) -> np.ndarray:
    frames = np.arange(len(points))
    at = frames[found]
    return np.stack([np.interp(frames, at, points[found, axis]) for axis in (0, 1)], axis=1)


def _median(window: int) -> Smoother:
    def smooth(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
        rolling = pd.DataFrame(points).rolling(window, center=True, min_periods=1)
        return np.asarray(rolling.median())

    return smooth


def _spline(window: int) -> Smoother:
    """Return the smoother that minimises sum w (z - y)^2 + penalty sum (second difference z)^2.

    It lets through 1 / (1 + penalty (2 - 2 cos w)^2) of a wave of w radians a frame, half of one
    whose period is the window.
    """
    penalty = (2 - 2 * np.cos(2 * np.pi / window)) ** -2

    def smooth(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
        count = len(points)
        if count < 3:
            return points
        bands = np.zeros((3, count))  # the upper diagonals of D'D, D of second differences
        for offset, coefficients in enumerate(([1, 4, 1], [-2, -2], [1])):
            for shift, coefficient in enumerate(coefficients):
                begin = shift + offset
                bands[2 - offset, begin : begin + count - 2] += coefficient
        bands *= penalty
        relative = weights / weights.max()
        bands[2] += relative
        return solveh_banded(bands, relative[:, None] * points.astype(np.float64))

    return smooth


def _arima(ar: int, ma: int) -> Smoother:
    try:
        from statsmodels.tools.sm_exceptions import ConvergenceWarning
        from statsmodels.tsa.statespace.sarimax import SARIMAX
    except ImportError as error:
        raise DlcregError(
            "the ARIMA filter needs statsmodels, which is not installed: "
            "pip install 'dlcreg[arima]'"
        ) from error

    def process(values: np.ndarray) -> Any:
        return SARIMAX(
            values, order=(ar, 1, ma), measurement_error=True, initialization="approximate_diffuse"
        )

    def coordinate(values: np.ndarray) -> np.ndarray:
        if len(values) <= ar + ma + 4 or np.nanstd(values) < 1e-6:
            return values
        middle = max(0, (len(values) - FITTED) // 2)
        fit = process(values[middle : middle + FITTED]).fit(disp=False, maxiter=30)
        whole = process(values)
        states = whole.smooth(fit.params).states.smoothed
        return np.asarray(states @ whole["design"].reshape(-1))

    def smooth(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
        seen = np.where(weights[:, None] > 0, points.astype(np.float64), np.nan)
        centre = np.nanmean(seen, axis=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", UserWarning)  # of starting values that it corrects
            columns = [coordinate(seen[:, axis] - centre[axis]) for axis in (0, 1)]
        smoothed = np.stack(columns, axis=1) + centre
        return np.where(np.isfinite(smoothed), smoothed, points)

    return smooth
