"""A small config of any part, made from its signature, that passes the checks of a config."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import torch

from dlcreg.contracts import Loss
from dlcreg.errors import DlcregError
from dlcreg.plugins import OWN
from dlcreg.registry import CODECS, LOSSES, Registry
from dlcreg.registry.listing import listing
from dlcreg.schema import WIRED, Checker, shape_of, signature_of
from dlcreg.schema.check import PROVIDED
from dlcreg.schema.shapes import (
    Choice,
    DeferredPart,
    Either,
    Fixed,
    Mapped,
    Object,
    PartOf,
    Scalar,
    Shape,
)
from dlcreg.structures import DatasetInfo
from dlcreg.wiring import construct

_SCALARS: dict[type, Any] = {bool: True, int: 1, float: 0.1, str: "...", pathlib.Path: "path/to/it"}
_INFO = DatasetInfo(
    keypoint_names=("nose", "left_ear", "right_ear", "tail"),
    individuals=("one", "two"),
    identified=True,
    unique=DatasetInfo(keypoint_names=("left_corner", "right_corner")),
)
_CONTEXT = {**_INFO.wiring(), "in_channels": (16,), "in_strides": (4,), "input_size": (256, 256)}


def example_config(registry: Registry, name: str) -> dict[str, Any] | None:
    """Return a config of a part with what it must be given, and nothing that is wired.

    Args:
        registry: the registry of the part.
        name: what a config names it.

    Returns:
        None where its signature says too little to make one that passes the checks.
    """
    cfg = {"type": name, **_required(registry.get(name), PROVIDED.get(registry.name, ()))}
    checker = Checker()
    checker.part(registry, cfg, "", provided=PROVIDED.get(registry.name, ()))
    return None if checker.problems else _with_inner(registry, _with_losses(registry, cfg))


def _required(cls: type, provided: tuple[str, ...] = ()) -> dict[str, Any]:
    unsaid = {*provided, *WIRED}
    return {
        p.name: _value(shape_of(p.annotation))
        for p in signature_of(cls).parameters.values()
        if p.required and p.name not in unsaid
    }


def _value(shape: Shape) -> Any:
    if isinstance(shape, Either):
        return _value(shape.members[0])
    if isinstance(shape, (PartOf, DeferredPart)):
        return _first(shape.registry)
    if isinstance(shape, Object):
        return _required(shape.cls)
    if isinstance(shape, Choice):
        return shape.values[0]
    if isinstance(shape, Fixed):
        return [_value(item) for item in shape.items]
    if isinstance(shape, Mapped):
        return {}
    if isinstance(shape, Scalar):
        return next((_SCALARS[kind] for kind in shape.classes if kind in _SCALARS), None)
    return [] if shape.fits([]) and not shape.fits("...") else "..."


def _first(registry: Registry) -> dict[str, Any]:
    """Return a config of the first part of a registry that dlcreg itself provides."""
    rows = listing(registry)
    for row in [row for row in rows if row.distribution == OWN] or rows:
        if not _inner(registry, row.name):  # it would need another one of its kind
            cfg = {"type": row.name, **_required(registry.get(row.name))}
            return _with_losses(registry, cfg)
    return {"type": "..."}


def _inner(registry: Registry, name: str) -> list[str]:
    """Return the parameters of a part that must be given a part of its own kind."""
    parameters = signature_of(registry.get(name)).parameters.values()
    shapes = {p.name: shape_of(p.annotation) for p in parameters if p.required}
    parts = {key: shape for key, shape in shapes.items() if isinstance(shape, PartOf)}
    return [key for key, shape in parts.items() if shape.registry is registry]


def _with_inner(registry: Registry, cfg: dict[str, Any]) -> dict[str, Any]:
    """Give a part around another one of its kind the first that it takes."""
    for parameter in _inner(registry, cfg["type"]):
        for row in listing(registry):
            if row.distribution != OWN or _inner(registry, row.name):
                continue
            inner = {"type": row.name, **_required(registry.get(row.name))}
            tried = {**cfg, parameter: _with_losses(registry, inner)}
            try:
                with torch.device("meta"):
                    construct(registry, tried, _CONTEXT)
            except DlcregError:
                continue
            return tried
    return cfg


def _with_losses(registry: Registry, cfg: dict[str, Any]) -> dict[str, Any]:
    """Give a head the first codec, and a loss for each of its outputs, that it takes."""
    parameter = signature_of(registry.get(cfg["type"])).parameters.get("losses")
    shape = shape_of(parameter.annotation) if parameter else None
    if not isinstance(cfg.get("codec"), Mapping) or not isinstance(shape, Mapped):
        return cfg
    if not isinstance(shape.item, PartOf) or not issubclass(shape.item.registry.base, Loss):
        return cfg
    others = ({"type": row.name} for row in listing(CODECS) if row.distribution == OWN)
    # those of any range first: an output may be a heatmap or pixels
    losses = sorted(
        (row for row in listing(LOSSES) if row.distribution == OWN),
        key=lambda row: getattr(LOSSES.get(row.name), "activation", "none") != "none",
    )
    for codec in (cfg["codec"], *others):
        try:
            outputs = construct(CODECS, codec, _CONTEXT).output_channels(_INFO.num_keypoints)
        except (DlcregError, TypeError, ValueError):
            continue
        for row in losses:
            chosen = {output: {"type": row.name} for output in outputs}
            tried = {**cfg, "codec": codec, "losses": chosen}
            try:
                construct(registry, tried, _CONTEXT)
            except DlcregError:
                continue
            return tried
    return cfg
