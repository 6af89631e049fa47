"""The checks of losses."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcreg.testing.devices import stays_there, to_meta
from dlcreg.testing.results import fail
from dlcreg.testing.samples import cloned, difference
from dlcreg.testing.subject import Subject

Inputs = tuple[Tensor, Tensor, Tensor]


def _inputs(subject: Subject, seed: int = 0) -> Inputs:
    """Return an output that wants a gradient, a target in [0, 1] and a weight of 0 and 1."""
    if subject.options.inputs is not None:
        output, target, weight = subject.options.inputs(seed)
        return output.detach().clone().requires_grad_(), target, weight
    generator = torch.Generator().manual_seed(seed)
    output = torch.randn(2, 4, 8, 12, generator=generator).requires_grad_()
    target = torch.rand(subject.built.target_shape((2, 4, 8, 12)), generator=generator)
    weight = torch.tensor([[1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0]])[..., None, None]
    return output, target, weight


def scalar(subject: Subject) -> str:
    """It gives one finite number that can be differentiated."""
    value = subject.build()(*_inputs(subject))
    if not isinstance(value, Tensor) or value.dim() != 0:
        seen = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        fail(f"returns {seen}", "a tensor of no dimensions", "Average over all elements")
    if not value.isfinite():
        fail(f"gives {value.item()}", "a finite number", "Look for a logarithm or a division of 0")
    if not value.requires_grad:
        fail("gives a number without a gradient", "one to minimise", "Leave out detach and item")
    return f"gives {value.item():.4g}"


def finite_gradients(subject: Subject) -> str:
    """The gradient of the output is finite and not zero everywhere, also far from the target."""
    loss = subject.build()
    scales = (1.0, 50.0) if subject.options.inputs is None else (1.0,)
    for scale in scales:
        output, target, weight = _inputs(subject)
        output = (output.detach() * scale).requires_grad_()
        loss(output, target, weight).backward()
        gradient = output.grad
        if gradient is None or not gradient.isfinite().all() or not gradient.any():
            what = "no" if gradient is None or not gradient.any() else "not a finite"
            fail(
                f"gives the output {what} gradient where it is of the order of {scale:g}",
                "a finite one",
                "Compute with logarithms of sigmoid or softmax as torch.nn.functional does",
            )
    return f"finite at outputs of the order of {', '.join(f'{scale:g}' for scale in scales)}"


def learns(subject: Subject) -> str:
    """Going down its gradient makes it smaller, and moves the output towards the target."""
    loss = subject.build()
    output, target, weight = _inputs(subject)
    start = output.detach().clone()
    optimizer = torch.optim.Adam([output], lr=0.05)
    values = []
    for _ in range(30):
        optimizer.zero_grad()
        value = loss(output, target, weight)
        value.backward()
        optimizer.step()
        values.append(value.item())
    if not values[-1] < values[0]:
        fail(
            f"goes from {values[0]:.4g} to {values[-1]:.4g} in 30 steps down its gradient",
            "a smaller value",
            "Look at detach, no_grad and in-place operations",
        )
    if output.shape == target.shape:
        known = (weight != 0).expand_as(target)
        moved, wanted = (output.detach() - start)[known], target[known]
        together = ((moved - moved.mean()) * (wanted - wanted.mean())).sum()
        if not together > 0:
            fail(
                "moves the output up where the target is low",
                "up where the target is high",
                "Turn the sign",
            )
    return f"goes from {values[0]:.4g} to {values[-1]:.4g}"


def zero_weight(subject: Subject) -> str:
    """Where nothing at all is labelled it is finite and gives no gradient."""
    output, target, weight = _inputs(subject)
    value = subject.build()(output, target, torch.zeros_like(weight))
    if not value.isfinite():
        fail(
            f"gives {value.item()} where every weight is 0",
            "a finite number, 0 if it is an average: a batch without a label must not end the run",
            "Divide by the number of weights with clamp(min=1)",
        )
    if value.requires_grad:
        value.backward()
    if output.grad is not None and not (output.grad == 0).all():
        fail("gives a gradient where every weight is 0", "none", "Multiply by the weight")
    return f"gives {value.item():.4g}"


def ignores_unlabelled(subject: Subject) -> str:
    """Elements of weight 0 give no gradient, whatever their target is."""
    loss = subject.build()
    output, target, weight = _inputs(subject)
    unknown = (weight == 0).expand_as(target)
    results = []
    for junk in (0.25, 1e6, float("nan")):
        tried = output.detach().clone().requires_grad_()
        value = loss(tried, target.masked_fill(unknown, junk), weight)
        value.backward()
        results.append((value.detach(), tried.grad))
    value, gradient = results[0]
    if gradient is not None and unknown.shape == gradient.shape and gradient[unknown].any():
        fail(
            "gives a gradient to elements of weight 0",
            "none: keypoints without a label are not to be learnt",
            "Multiply by the weight before the reduction, and mine or average over the rest",
        )
    for other in results[1:]:
        if difference(other, (value, gradient))[0] > 1e-6:
            fail(
                f"changes from {value.item():.4g} to {other[0].item():.4g}, or its gradient does, "
                "with the target at elements of weight 0",
                "no difference, even for NaN there",
                "Take torch.where(weight != 0, ...), not a product: NaN times 0 is NaN",
            )
    return "the targets of weight 0 make no difference"


def unweighted(subject: Subject) -> str:
    """`forward` leaves the factor `weight` to the head."""
    if "weight" not in subject.parameters or "weight" in subject.options.arguments:
        return "weight is not free to choose"
    options = dict(subject.options.arguments)
    values = []
    for factor in (1.0, 3.0):
        torch.manual_seed(0)  # of what it learns itself
        part = subject.registry.get(subject.part)(**{**options, "weight": factor})
        if part.weight != factor:
            fail(
                f"has weight={part.weight} when {factor} is given",
                "the factor as an attribute, which the head multiplies by",
                "Pass weight on to super().__init__",
            )
        values.append(part(*_inputs(subject)).item())
    if values[0] != values[1]:
        fail(
            f"gives {values[1]:.4g} with weight=3 and {values[0]:.4g} with weight=1",
            "the same: the head multiplies by the weight",
            "Leave self.weight out of forward",
        )
    return "the same for every weight"


def repeatable(subject: Subject) -> str:
    """The same output gives the same value, whatever was computed in between."""
    loss = subject.build()
    with torch.no_grad():
        first = loss(*_inputs(subject))
        loss(*_inputs(subject, seed=1))
        again = loss(*_inputs(subject))
    if first != again:
        fail(
            f"gives {first.item():.6g} and then {again.item():.6g} for the same output",
            "the same value",
            "Keep nothing of a call in an attribute",
        )
    return "the same value twice"


def follows_device(subject: Subject) -> str:
    """It computes on the device of its inputs."""
    loss = subject.build().to("meta")
    inputs = to_meta(_inputs(subject))
    stays_there("forward", lambda: loss(*inputs))
    return "on whatever device the inputs lie"


def input_unchanged(subject: Subject) -> str:
    """Output, target and weight are not changed in place."""
    inputs = _inputs(subject)
    kept = cloned(inputs)
    with torch.no_grad():
        subject.build()(*inputs)
    apart, place = difference(inputs, kept)
    if apart:
        fail(
            f"changes its input {place.replace('output', 'argument')}",
            "that it is left as it is",
            "Leave out operations that end in _, and clone before writing",
        )
    return "all three are left as they are"


CHECKS = (
    scalar,
    finite_gradients,
    learns,
    zero_weight,
    ignores_unlabelled,
    unweighted,
    repeatable,
    follows_device,
    input_unchanged,
)
