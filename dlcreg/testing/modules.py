"""The checks that backbones, necks and heads share: all that a torch module has to keep."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from dlcreg.conditioning import takes_condition
from dlcreg.contracts import Backbone, Detector, Head, Size
from dlcreg.testing.devices import stays_there, to_meta
from dlcreg.testing.results import fail, skip
from dlcreg.testing.samples import (
    animal_pictures,
    cloned,
    conditions,
    difference,
    feature_maps,
    labels,
    named,
    pictures,
    poses,
    slices,
)
from dlcreg.testing.subject import Subject

_ROUNDING = 1e-4
"""Relative difference that another order of the same sums makes in float32."""


def inputs_of(
    subject: Subject, images: int = 2, size: Size | None = None, seed: int = 0
) -> tuple[Any, ...]:
    """Return what forward is given: images, and a condition for a backbone that takes one; or maps.

    Args:
        subject: a backbone or a detector; or a neck or a head, which are given feature maps.
        images: how many.
        size: height and width in pixels; None: the usual one.
        seed: of all that is random.
    """
    size = subject.options.size if size is None else size
    if subject.kind == "detectors":
        return (pictures(size, images, seed),)
    if subject.kind != "backbones":
        return (feature_maps(*subject.features, size, images, seed),)
    size = padded(subject.built, size)
    if not takes_condition(subject.built):
        return (pictures(size, images, seed),)
    return pictures(size, images, seed), conditions(size, images, seed)


def padded(backbone: Backbone, size: Size) -> Size:
    """Return a size that the backbone is given for images of `size`."""
    divisor = divisor_of(backbone)
    return -(-size[0] // divisor) * divisor, -(-size[1] // divisor) * divisor


def divisor_of(backbone: Backbone) -> int:
    """Return what the sides of a backbone's images are multiples of."""
    return int(backbone.size_divisor or max(backbone.out_strides))


def run(part: nn.Module, inputs: tuple[Any, ...]) -> Any:
    """Return the outputs without a gradient."""
    with torch.no_grad():
        return part(*inputs)


def traceable(subject: Subject) -> str:
    """Built and run without weights, on torch's meta device, it has the shapes of the real one."""
    real = named(run(subject.built, inputs_of(subject)))
    try:
        inputs = to_meta(inputs_of(subject))
        with torch.device("meta"):
            found = named(run(subject.build().eval(), inputs))
    except Exception as error:
        if "meta" not in str(error).lower() and not isinstance(error, NotImplementedError):
            raise
        skip(f"it looks at values, so that configs are traced on the CPU, slower: {error}")
    shapes = {name: tuple(tensor.shape) for name, tensor in real.items()}
    traced = {name: tuple(tensor.shape) for name, tensor in found.items()}
    if shapes != traced:
        fail(
            f"gives {traced} on the meta device and {shapes} on the CPU",
            "the same shapes: configs are checked without weights",
            "Let shapes depend on shapes alone",
        )
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def follows_device(subject: Subject) -> str:
    """It computes on the device of its inputs and weights."""
    part, inputs = subject.build().eval().to("meta"), to_meta(inputs_of(subject))
    stays_there("forward", lambda: part(*inputs))
    return "on whatever device the inputs lie"


def batch_independent(subject: Subject) -> str:
    """In evaluation mode the outputs of an image do not depend on the others of its batch."""
    inputs = inputs_of(subject, images=3)
    together = run(subject.built, inputs)
    for i in range(3):
        one = slice(i, i + 1)
        apart, place = difference(slices(together, one), run(subject.built, slices(inputs, one)))
        if apart > _ROUNDING:
            fail(
                f"gives another {place} for an image alone than in a batch of 3 (by {apart:.2g})",
                "the same in evaluation mode",
                "Take no mean over axis 0; normalise with running statistics in evaluation mode",
            )
    return "three images, the same alone"


def stateless(subject: Subject) -> str:
    """In evaluation mode the same input gives the same output, whatever came in between."""
    part = subject.build().eval()
    first, other = inputs_of(subject), inputs_of(subject, images=1, seed=1)
    before = cloned(dict(part.state_dict()))
    expected = run(part, first)
    run(part, other)
    apart, place = difference(expected, run(part, first))
    if apart:
        fail(
            f"gives another {place} for the same input after another one (by {apart:.2g})",
            "the same in evaluation mode",
            "Keep nothing of a call in an attribute, and draw nothing at random",
        )
    apart, place = difference(before, dict(part.state_dict()))
    if apart:
        fail(
            f"changes its state ({place.removeprefix('output')}) in evaluation mode",
            "that weights and buffers stay as they are",
            "Update statistics only where self.training",
        )
    return "the same after another input"


def input_unchanged(subject: Subject) -> str:
    """Its input is not changed in place."""
    inputs = inputs_of(subject)
    kept = cloned(inputs)
    run(subject.built, inputs)
    apart, place = difference(inputs, kept)
    if apart:
        fail(
            f"changes its input ({place.replace('output', 'input')})",
            "that it is left as it is: other heads read the same feature maps",
            "Begin with an operation that is not in place (ReLU(inplace=False), x = x + y)",
        )
    return "left as it is"


def finite_gradients(subject: Subject) -> str:
    """Every parameter that is to be trained gets a finite gradient."""
    part = subject.build().train()
    if not any(parameter.requires_grad for parameter in part.parameters()):
        skip("it has no parameter to train")
    inputs = inputs_of(subject)
    values = [tensor.float().square().mean() for tensor in named(part(*inputs)).values()]
    if isinstance(part, Head):  # a loss may have parameters of its own
        size = subject.options.size
        values += part.loss(inputs[0], labels(poses(size, images=2)), size).values()
    if isinstance(part, Detector) and part.learns:
        values += part.loss(inputs[0], animal_pictures(subject.options.size)[1]).values()
    torch.stack(values).sum().backward()
    count = 0
    for name, parameter in part.named_parameters():
        if not parameter.requires_grad:
            continue
        count += 1
        if parameter.grad is None:
            fail(
                f"has a parameter {name!r} that takes no part in its outputs or losses",
                "a gradient for each parameter: with several GPUs such a one ends the run",
                "Remove it, or set requires_grad_(False)",
            )
        if not parameter.grad.isfinite().all():
            fail(f"gives {name!r} a gradient that is not finite", "a finite one", "See forward")
    return f"{count} parameters with a finite gradient"


def state_dict_round_trip(subject: Subject) -> str:
    """What one of them learnt, another one built from the same config can load."""
    first, second = subject.build(seed=0), subject.build(seed=1)
    inputs = inputs_of(subject)
    run(first.train(), inputs)
    second.load_state_dict(first.state_dict())
    apart, place = difference(run(first.eval(), inputs), run(second.eval(), inputs))
    if apart > _ROUNDING:
        fail(
            f"gives another {place} after loading the state dict of its twin (by {apart:.2g})",
            "the same",
            "Register all that is learnt or drawn as nn.Parameter or buffer",
        )
    return f"{len(first.state_dict())} entries"


def seeded(subject: Subject) -> str:
    """The same seed gives the same weights."""
    apart, place = difference(
        dict(subject.build(seed=3).state_dict()), dict(subject.build(seed=3).state_dict())
    )
    if apart:
        fail(
            f"starts with other weights ({place.removeprefix('output')}) from the same seed",
            "the same: one seed decides a run",
            "Draw from torch's own generator, not from numpy, random or the clock",
        )
    return "the same weights twice"


def exports(subject: Subject) -> str:
    """torch.export takes it, and the exported one gives the same."""
    part, inputs = subject.build().eval(), inputs_of(subject)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exported = torch.export.export(part, inputs, strict=False)
        except Exception as error:
            text = str(error).strip().splitlines()
            fail(
                f"cannot be exported: {type(error).__name__}: {text[0] if text else ''}",
                "that torch.export.export(part, inputs) works",
                "Branch on shapes and arguments, never on values of tensors",
            )
        apart, place = difference(run(part, inputs), run(exported.module(), inputs))
    if apart > _ROUNDING:
        fail(f"gives another {place} once exported (by {apart:.2g})", "the same", "See forward")
    return "exported, with the same outputs"


def bfloat16(subject: Subject) -> str:
    """Under autocast to bfloat16 the outputs are nearly those of float32."""
    inputs = inputs_of(subject)
    expected = named(run(subject.built, inputs))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = named(run(subject.built, inputs))
    worst = 0.0
    for name, tensor in expected.items():
        apart = (found[name].float() - tensor).norm() / tensor.norm().clamp(min=1e-12)
        worst = max(worst, float(apart)) if apart.isfinite() else float("inf")
    if not worst <= 0.1:
        fail(
            f"deviates by {worst:.1%} of its outputs' size under bfloat16",
            "at most 10 %",
            "Compute sums, norms and exponentials in float32 (x.float())",
        )
    return f"deviates by {worst:.2%} of the outputs' size"


MODULE_CHECKS = (
    traceable,
    follows_device,
    batch_independent,
    stateless,
    input_unchanged,
    finite_gradients,
    state_dict_round_trip,
    seeded,
    exports,
)
