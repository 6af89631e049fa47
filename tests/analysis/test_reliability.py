"""Cut-offs keep what is right and drop what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg.analysis.reliability import reliability, suggested_cutoff

POINTS = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=30)


def test_a_cutoff_lies_between_right_and_wrong_points():
    one = suggested_cutoff(np.array([0.9, 0.2, 0.8, 0.4]), np.array([True, False, True, False]))
    assert one is not None
    assert (one.value, one.kept, one.right) == (pytest.approx(0.6), 0.5, 1.0)


def test_where_nothing_is_wrong_all_is_kept_and_where_nothing_is_right_no_cutoff_helps():
    scores = np.array([0.3, 0.5])
    assert suggested_cutoff(scores, np.array([True, True])).kept == 1
    assert suggested_cutoff(scores, np.array([False, False])) is None
    assert suggested_cutoff(np.empty(0), np.empty(0, bool)) is None


@settings(max_examples=50)
@given(POINTS)
def test_no_other_cutoff_tells_right_from_wrong_better(points):
    scores = np.array([score for score, _ in points]) / 20
    right = np.array([good for _, good in points])
    one = suggested_cutoff(scores, right)
    if one is None or right.all():
        return
    kept = scores >= one.value
    assert kept.mean() == pytest.approx(one.kept)
    assert right[kept].mean() == pytest.approx(one.right)

    def gain(cutoff):
        return (scores[right] >= cutoff).mean() - (scores[~right] >= cutoff).mean()

    assert gain(one.value) >= max(map(gain, scores)) - 1e-12


def test_reliability_is_the_share_of_right_points_of_each_bin():
    means, shares, counts = reliability(
        np.array([0.05, 0.95, 1.0, 1.2]), np.array([False, True, False, True]), bins=2
    )
    assert counts.tolist() == [1, 3]
    assert means == pytest.approx([0.05, 3.15 / 3])
    assert shares == pytest.approx([0, 2 / 3])
