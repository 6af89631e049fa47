"""Whether a part computes where its inputs lie, tried on torch's meta device: no GPU is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from dlcreg.structures import Instances, Poses
from dlcreg.testing.results import fail, skip
from dlcreg.testing.samples import named

T = TypeVar("T")


def to_meta(value: T) -> T:
    """Return tensors, or tuples, dicts, labels and poses of tensors, without their values."""
    if value is None:
        return value
    if isinstance(value, Tensor):
        return torch.empty_like(value, device="meta")  # type: ignore[return-value]
    if isinstance(value, dict):
        return {key: to_meta(item) for key, item in value.items()}  # type: ignore[return-value]
    if isinstance(value, (Instances, Poses)):
        return replace(value, **{name: to_meta(item) for name, item in vars(value).items()})
    return tuple(to_meta(item) for item in value)  # type: ignore[attr-defined, return-value]


def stays_there(what: str, call: Callable[[], T]) -> T:
    """Return what a call on the meta device gives, once all of it is known to lie there.

    Args:
        what: the call, for messages.
        call: takes nothing but tensors on the meta device.
    """
    mend = "Make tensors with device=..., from those that are given: x.new_zeros, torch.ones_like"
    try:
        with torch.no_grad():
            found: Any = call()
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        text = str(error)
        if "expected device" in text or "same device" in text:
            fail(f"in {what} uses a tensor that lies on the CPU", "that of its inputs", mend)
        if "meta" in text.lower() or isinstance(error, NotImplementedError):
            skip(f"{what} looks at values, which there are none of on the meta device")
        raise
    for name, tensor in named(found, what).items():
        if tensor.device.type != "meta":
            fail(f"gives {name} on the CPU", "the device of its inputs", mend)
    return found  # type: ignore[no-any-return]
