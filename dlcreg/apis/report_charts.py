"""The charts of a report: errors, and what likelihoods are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from dlcreg.analysis.reliability import Cutoff, reliability
from dlcreg.apis.report_page import STYLE
from dlcreg.apis.report_points import Points

PARTS = {"train": "#2f81f7", "val": "#a371f7", "test": "#e8590c"}
_OTHER = "#1a9c6c"


def colour_of(part: str) -> str:
    """Return the colour of a part of the data, the same in all charts."""
    return PARTS.get(part, _OTHER)


def error_histogram(points: Mapping[str, Points]) -> Figure:
    """Return how the errors of each part are spread, as shares of its points."""
    with rc_context(STYLE):
        figure = Figure(figsize=(6, 3.4), layout="constrained")
        axes = figure.subplots()
        found = {part: np.maximum(one.errors[one.found], 0.05) for part, one in points.items()}
        everything = np.concatenate([*found.values(), [1.0]])
        ends = max(everything.min(), 0.1), max(everything.max(), 2.0) * 1.01
        bins = np.geomspace(*ends, 41).tolist()
        for part, errors in found.items():
            weights = np.full(len(errors), 100 / max(len(points[part]), 1))
            axes.hist(
                np.maximum(errors, bins[0]), bins, weights=weights, histtype="stepfilled",
                color=colour_of(part), alpha=0.35, label=part, edgecolor=colour_of(part), lw=1.5,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlabel("error, pixels")
        axes.set_ylabel("% of the labelled points")
        axes.legend()
        return figure


def error_ranges(points: Mapping[str, Points], names: Sequence[str]) -> Figure:
    """Return median and range of the errors of each keypoint, a line for each part."""
    with rc_context(STYLE):
        figure = Figure(figsize=(6, 1.1 + 0.3 * len(names)), layout="constrained")
        axes = figure.subplots()
        for row, (part, one) in enumerate(points.items()):
            shift = 0.28 * (row - (len(points) - 1) / 2)
            for k in range(len(names)):
                errors = one.errors[(one.keypoints == k) & one.found]
                if len(errors):
                    low, middle, high = np.maximum(np.percentile(errors, (5, 50, 95)), 0.05)
                    axes.plot((low, high), (k + shift,) * 2, color=colour_of(part), lw=2, alpha=0.6)
                    axes.plot(middle, k + shift, "o", color=colour_of(part), ms=5)
            axes.plot([], [], "o-", color=colour_of(part), label=part)
        axes.set_xscale("log")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(axis="x", alpha=0.25)
        axes.set_xlabel("error, pixels: median, and from 5 % to 95 %")
        axes.legend()
        return figure


def calibration(points: Mapping[str, Points], share: float) -> Figure:
    """Return how often points of a likelihood are right, and how many points there are of it."""
    with rc_context(STYLE):
        figure = Figure(figsize=(6, 4.4), layout="constrained")
        above, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
        above.plot((0, 1), (0, 1), ls="--", lw=1, color="#8b949e")
        for part, one in points.items():
            found = one.of(one.found)
            means, shares, counts = reliability(found.scores, found.right(share))
            seen = counts > 0
            above.plot(means[seen], shares[seen], "o-", color=colour_of(part), label=part, ms=4)
            edges = np.linspace(0, 1, len(counts) + 1)
            below.stairs(100 * counts / max(counts.sum(), 1), edges, color=colour_of(part), lw=1.5)
        above.set_ylim(-0.03, 1.03)
        above.set_ylabel("share that is right")
        above.grid(alpha=0.25)
        above.legend()
        below.set_ylabel("% of points")
        below.set_xlabel("likelihood")
        below.set_xlim(0, 1)
        return figure


def likelihoods(
    points: Points, names: Sequence[str], cutoffs: Sequence[Cutoff | None], share: float
) -> Figure:
    """Return the likelihoods of right and of wrong points of each keypoint, and the cut-offs."""
    with rc_context(STYLE):
        figure = Figure(figsize=(6, 1.1 + 0.3 * len(names)), layout="constrained")
        axes = figure.subplots()
        right = points.right(share)
        rng = np.random.default_rng(0)  # which only keeps points from lying over one another
        for good, colour, label, shift in (
            (True, "#1a9c6c", "right", -0.15), (False, "#e5484d", "wrong", 0.15),
        ):  # fmt: skip
            some = points.found & (right == good)
            (at,) = np.nonzero(some)
            at = rng.permutation(at)[:2000]
            heights = points.keypoints[at] + shift + rng.uniform(-0.09, 0.09, len(at))
            axes.plot(
                points.scores[at], heights, ".", ms=3, color=colour, label=label, alpha=0.7,
                rasterized=len(at) > 500,
            )  # fmt: skip
        for k, one in enumerate(cutoffs):
            if one is not None:
                axes.plot((one.value,) * 2, (k - 0.4, k + 0.4), color="#010203", lw=2)
        axes.plot([], [], color="#010203", lw=2, label="suggested cut-off")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_xlabel("likelihood")
        figure.legend(loc="outside lower center", ncols=3)
        return figure
