"""Poses and outputs of heads as tensors by name, as a graph gives them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from torch import Tensor

from dlcreg.structures import Poses

_UNIQUE = "unique_"
_BETWEEN = "/"


def flat_poses(poses: Poses, prefix: str = "") -> dict[str, Tensor]:
    """Return the tensors of poses by name; those of unique body parts begin with ``unique_``."""
    flat: dict[str, Tensor] = {}
    for item in fields(poses):
        value = getattr(poses, item.name)
        if isinstance(value, Poses):
            flat |= flat_poses(value, _UNIQUE)
        elif value is not None:
            flat[prefix + item.name] = value
    return flat


def poses_of(tensors: Mapping[str, Tensor]) -> Poses:
    """Return the poses whose tensors `flat_poses` gave."""
    own = {name: value for name, value in tensors.items() if not name.startswith(_UNIQUE)}
    unique = {
        name.removeprefix(_UNIQUE): value
        for name, value in tensors.items()
        if name.startswith(_UNIQUE)
    }
    return Poses(**own, unique=poses_of(unique) if unique else None)


def flat_outputs(outputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return outputs, or outputs by the head's name, as ``output`` or ``head/output``."""
    flat: dict[str, Tensor] = {}
    for name, value in outputs.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}{_BETWEEN}{key}": tensor for key, tensor in value.items()}
        else:
            flat[name] = value
    return flat


def outputs_of(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the outputs whose tensors `flat_outputs` gave."""
    outputs: dict[str, Any] = {}
    for name, value in tensors.items():
        head, between, output = name.partition(_BETWEEN)
        if between:
            outputs.setdefault(head, {})[output] = value
        else:
            outputs[name] = value
    return outputs
