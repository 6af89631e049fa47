"""A backbone around another one."""

from __future__ import annotations

from dlcreg.contracts import Backbone


def adopt(outer: Backbone, inner: Backbone) -> None:
    """Let a backbone declare what one inside it declares: its maps, and the images it is made for.

    Args:
        outer: is changed.
        inner: whose maps it returns.
    """
    for name in ("out_channels", "out_strides"):
        if hasattr(inner, name):  # where it does not say so, they are found by a trial
            setattr(outer, name, tuple(getattr(inner, name)))
    outer.size_divisor = inner.size_divisor
    outer.image_mean, outer.image_std = inner.image_mean, inner.image_std
