"""Two poses compared."""

from __future__ import annotations

import torch


def same(one, other, atol=0.0):
    """Check that two poses are the same up to `atol`, in pixels and in likelihood."""
    for name in ("keypoints", "scores", "instance_scores"):
        a, b = getattr(one, name), getattr(other, name)
        torch.testing.assert_close(a, b, rtol=0, atol=atol, equal_nan=True)
    assert torch.equal(one.valid, other.valid)
