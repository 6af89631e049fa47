"""A model's shapes, found without its weights: one image through torch's meta device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dlcreg.conditioning import made_up_condition, needs_condition
from dlcreg.contracts import Backbone, Detector, Head, Neck, Size
from dlcreg.errors import Problem
from dlcreg.structures import DatasetInfo
from dlcreg.trace_detectors import wrong_detector
from dlcreg.trace_heads import is_of_meta, too_many, wrong_codec, wrong_outputs
from dlcreg.wiring.construct import BROKEN, Wiring

Build = Callable[[Wiring, bool], Any]
"""Builds a model into a `Wiring`; the flag says whether weights are to be left out."""


@dataclass
class Traced:
    """What a trace found.

    Args:
        model: the model without weights, or None where it cannot be built.
        problems: what does not fit, in the order in which the image meets it.
        built: every part of the model by its config path.
        device: where the model works without its weights: meta, or else the CPU.
        condition: what the model was given beside the image, or None.
    """

    model: nn.Module | None
    problems: list[Problem]
    built: Mapping[str, Any] = field(default_factory=dict)
    device: str = "meta"
    condition: Tensor | None = None


def trace(
    build: Build,
    size: Size,
    num_keypoints: int | None = None,
    info: DatasetInfo | None = None,
    condition: Tensor | None = None,
    stand_in: int = 1,
) -> Traced:
    """Build a model on the meta device and send an image through it.

    A model that does not work there, since it looks at values and not at shapes alone, is built
    on the CPU instead, without pretrained weights.

    Args:
        build: see `Build`.
        size: height and width of the image.
        num_keypoints: number of keypoints K; None where it is not known.
        info: the data that the model is for, if it is known.
        condition: float ``(1, K, 3)``, for conditioned models; None: one is made up where a part
            of the model needs one.
        stand_in: number of keypoints that the model is built for where K is not known.
    """
    with torch.random.fork_rng(devices=[]):
        for device in ("meta", "cpu"):
            wiring = Wiring()
            with torch.device(device):
                model = build(wiring, device == "cpu")
            if device == "meta" and any(is_of_meta(p.message) for p in wiring.problems):
                continue
            if model is BROKEN:
                return Traced(None, wiring.problems)
            journey = _Journey(wiring.built)
            if condition is None and conditioned(wiring.built):
                condition = made_up_condition(num_keypoints or stand_in, size, "cpu")
            try:
                journey.run(model, size, device, condition)
            except Exception as error:
                if device == "meta" and is_of_meta(f"{type(error).__name__}: {error}"):
                    continue
                found = journey.problems() or [journey.failure(error)]
            else:
                found = journey.problems() or [
                    *_codecs(journey, num_keypoints, info),
                    *_detectors(journey),
                ]
            return Traced(model, found, wiring.built, device, condition)
    raise AssertionError("the CPU is always tried")


def conditioned(built: Mapping[str, Any]) -> list[str]:
    """Return the paths of the backbones that need a condition."""
    parts = built.items()
    return [path for path, part in parts if isinstance(part, Backbone) and needs_condition(part)]


@dataclass
class _Visit:
    """A part that the image has met: what went in and what came out."""

    part: nn.Module
    path: str
    size: Size
    output: Any


@dataclass
class _Journey:
    """An image on its way through a model whose parts are known by their config paths."""

    built: Mapping[str, Any]
    visits: list[_Visit] = field(default_factory=list)
    entered: list[str] = field(default_factory=list)
    image: Size = (0, 0)

    def run(self, model: nn.Module, size: Size, device: str, condition: Tensor | None) -> None:
        """Send an image through, and note what each of the parts that are modules makes of it."""
        handles = []
        for path, part in self.built.items():
            if isinstance(part, (Backbone, Neck, Head, Detector)):
                handles.append(part.register_forward_pre_hook(self._enter(path)))
                handles.append(part.register_forward_hook(self._leave(path)))
        options = {} if condition is None else {"condition": condition.to(device)}
        model.eval()
        try:
            with torch.no_grad(), torch.device(device):
                images = torch.zeros(1, 3, *size, dtype=torch.uint8, device=device)
                model(images, mode="tensor", **options)
        finally:
            for handle in handles:
                handle.remove()

    def problems(self) -> list[Problem]:
        """Return where a part declares something else than it makes."""
        found = []
        for visit in self.visits:
            if isinstance(visit.part, (Backbone, Neck)):
                message = _wrong_maps(visit)
                if message:
                    name = type(visit.part).__name__
                    found.append(Problem(visit.path, f"{name} {message}"))
        return found

    def heads(self) -> list[_Visit]:
        """Return the heads that the image has met, without those that stand inside another one."""
        met = [visit for visit in self.visits if isinstance(visit.part, Head)]
        outer = tuple(f"{visit.path}." for visit in met)
        return [visit for visit in met if not visit.path.startswith(outer)]

    def path_of(self, part: Any, otherwise: str) -> str:
        """Return the config path of a part."""
        return next((path for path, one in self.built.items() if one is part), otherwise)

    def failure(self, error: Exception) -> Problem:
        """Return what an exception says, at the innermost part that it left unfinished."""
        path = self.entered[-1] if self.entered else "model"
        name = type(self.built.get(path)).__name__ if path in self.built else "the model"
        height, width = self.image if self.image != (0, 0) else (0, 0)
        image = f" of height {height} and width {width}" if height else ""
        text = str(error).strip().splitlines()
        message = (
            f"{name} fails on an image{image}: {type(error).__name__}: {text[0] if text else ''}"
        )
        return Problem(path, message)

    def _enter(self, path: str) -> Callable:
        def hook(part: nn.Module, inputs: tuple[Any, ...]) -> None:
            self.entered.append(path)
            if isinstance(part, (Backbone, Detector)) and isinstance(inputs[0], Tensor):
                self.image = (inputs[0].shape[-2], inputs[0].shape[-1])

        return hook

    def _leave(self, path: str) -> Callable:
        def hook(part: nn.Module, inputs: Any, output: Any) -> None:
            self.entered.pop()
            self.visits.append(_Visit(part, path, self.image, output))

        return hook


def _wrong_maps(visit: _Visit) -> str:
    """Return what is wrong with the maps of a backbone or neck, or nothing."""
    maps, part = visit.output, visit.part
    if not isinstance(maps, (tuple, list)) or not all(isinstance(m, Tensor) for m in maps):
        kind = type(maps).__name__
        return f"must return a tuple of maps (B, C, h, w), finest first, not a {kind}."
    shapes = [tuple(m.shape) for m in maps]
    if any(len(shape) != 4 for shape in shapes):
        return f"must return maps (B, C, h, w), not {', '.join(map(str, shapes))}."
    channels: tuple[int, ...] = tuple(getattr(part, "out_channels", ()))
    real = tuple(shape[1] for shape in shapes)
    if real != channels:
        if tuple(shape[-1] for shape in shapes) == channels:
            return (
                "gives its maps as (B, h, w, C), channels last. "
                "Return them as (B, C, h, w): x.permute(0, 3, 1, 2)."
            )
        return f"says out_channels={_list(channels)}, but its maps have {_list(real)} channels."
    strides = tuple(getattr(part, "out_strides", ()))
    height, width = visit.size
    if (
        height
        and not all(
            abs(height / stride - shape[2]) < 1 and abs(width / stride - shape[3]) < 1
            for stride, shape in zip(strides, shapes)
        )
    ) or len(strides) != len(shapes):
        sizes = ", ".join(f"{shape[2]} x {shape[3]}" for shape in shapes)
        return (
            f"says out_strides={_list(strides)}, but the maps of an image of {height} x {width} "
            f"are {sizes}: the strides are {_list(tuple(round(height / s[2]) for s in shapes))}."
        )
    return ""


def _codecs(
    journey: _Journey, num_keypoints: int | None, info: DatasetInfo | None
) -> list[Problem]:
    """Return where the outputs of a head are not what its codec speaks of."""
    found = []
    for visit in journey.heads():
        head: Head = visit.part  # type: ignore[assignment]
        codec = journey.path_of(head.codec, f"{visit.path}.codec")
        count = head.num_keypoints or num_keypoints
        message = wrong_outputs(head, visit.output, visit.size, count)
        if message:
            found.append(Problem(visit.path, f"{type(head).__name__} {message}"))
        elif count and visit.size != (0, 0):
            message = wrong_codec(head, visit.output, visit.size, count)
            if message:
                found.append(Problem(codec, f"{type(head.codec).__name__} {message}"))
        limit = head.max_individuals
        if info is not None and limit is not None and limit < info.num_individuals:
            found.append(Problem(codec, too_many(head, limit, info)))
    return found


def _detectors(journey: _Journey) -> list[Problem]:
    """Return where a detector does not make boxes of an image."""
    found = []
    for visit in journey.visits:
        if isinstance(visit.part, Detector):
            message = wrong_detector(visit.part, visit.output, visit.size)
            if message:
                found.append(Problem(visit.path, f"{type(visit.part).__name__} {message}"))
    return found


def _list(values: tuple[Any, ...]) -> str:
    return str(list(values))
