"""The checks of heads: outputs, codec and loss together, on feature maps that can be learnt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dlcreg.contracts import Head, Size
from dlcreg.structures import Instances, Poses
from dlcreg.testing.completing import animals, as_poses, disagreement
from dlcreg.testing.modules import MODULE_CHECKS, inputs_of, run
from dlcreg.testing.results import fail, skip
from dlcreg.testing.samples import feature_maps, labels, poses
from dlcreg.testing.subject import INFO, Subject

_LEARNT = 2.0
"""Pixels within which a head has learnt its images."""

_SETTLING = 60
"""Passes in which running statistics catch up with feature maps that have been learnt."""


def _labels(subject: Subject, images: int = 2) -> Instances:
    height, width = subject.options.size
    return labels(poses((height, width), images, margin=min(height, width) / 4))


def _sizes(subject: Subject) -> list[Size]:
    """Return sizes of images: the usual one and one of odd multiples of the coarsest stride."""
    if "input_size" in subject.parameters:  # built for that size alone
        return [subject.options.size]
    stride = max(subject.features[1])
    cells = 48 // stride | 1
    return [subject.options.size, (cells * stride, (cells + 2) * stride)]


def outputs_fit_codec(subject: Subject) -> str:
    """It returns a tensor by name for each output of its codec, of the right channels."""
    head: Head = subject.built
    outputs = run(head, inputs_of(subject))
    count = head.num_keypoints or INFO.num_keypoints
    wanted = head.codec.output_channels(count)
    if not isinstance(outputs, dict) or not all(isinstance(v, Tensor) for v in outputs.values()):
        fail(f"returns {type(outputs).__name__}", "a dict of tensors by name", "See Head.forward")
    for name, channels in wanted.items():
        if name not in outputs:
            fail(
                f"gives no {name!r}. It gives: {', '.join(outputs)}",
                f"all that its codec decodes: {', '.join(wanted)}",
                "Make an output for each name of codec.output_channels(num_keypoints)",
            )
        if outputs[name].dim() < 2 or outputs[name].shape[1] != channels:
            fail(
                f"gives {name!r} the shape {tuple(outputs[name].shape)}",
                f"(B, {channels}, ...), as its codec asks for {count} keypoints",
                "Take the number from codec.output_channels(num_keypoints)",
            )
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in outputs.items())


def targets_fit_losses(subject: Subject) -> str:
    """Each loss gets a target of the shape that it takes for the head's output."""
    head: Head = subject.built
    outputs = run(head, inputs_of(subject))
    targets = head.targets(_labels(subject), subject.options.size)
    for name, loss in head.losses.items():
        if name not in outputs:
            skip(f"it gives no {name!r}, see 'outputs_fit_codec'")
        real = tuple(outputs[name].shape)
        wanted = tuple(loss.target_shape(real))  # type: ignore[operator]
        target = tuple(targets[name][0].shape)
        if target != wanted:
            fail(
                f"gives {name!r} the shape {real}, but its codec draws a target of {target}",
                f"a target of {wanted}, as {type(loss).__name__} takes: shapes that only happen "
                "to broadcast teach nonsense",
                "See the stride that the head tells its codec, or Loss.target_shape",
            )
    return ", ".join(f"{name} {tuple(target.shape)}" for name, (target, _) in targets.items())


def predicts(subject: Subject) -> str:
    """It gives or completes poses (B, N, K, 2), also of one image of an odd size."""
    for images, size in zip((2, 1), _sizes(subject)):
        instances = labels(poses(size, images, margin=8))
        found = _found(subject.built, inputs_of(subject, images, size)[0], size, instances)
        b, n, k = found.scores.shape
        if (b, k) != (images, INFO.num_keypoints) or found.keypoints.shape != (b, n, k, 2):
            fail(
                f"predicts keypoints of shape {tuple(found.keypoints.shape)} for {images} images "
                f"with {INFO.num_keypoints} keypoints",
                f"({images}, N, {INFO.num_keypoints}, 2)",
                "See the codec's decode",
            )
    return f"keypoints {tuple(found.keypoints.shape)}"


def finite_loss(subject: Subject) -> str:
    """`loss` gives one finite number for each of its losses, also for odd sizes and one image."""
    head: Head = subject.build().train()
    for images, size in ((2, size) for size in _sizes(subject)):
        instances = labels(poses(size, images, margin=8))
        losses = head.loss(inputs_of(subject, images, size)[0], instances, size)
        if not losses:
            fail("has no loss", "one for each output", "Pass losses on to super().__init__")
        for name, value in losses.items():
            if value.dim() != 0 or not value.isfinite():
                fail(
                    f"gives a loss {name!r} of {value.tolist()} for images of {size}",
                    "one finite number",
                    "See that outputs and targets of the codec have the same shape",
                )
    return ", ".join(f"{name}={value.item():.4g}" for name, value in losses.items())


def ignores_unlabelled(subject: Subject) -> str:
    """Keypoints without a label give no gradient, whatever their coordinates are."""
    instances = _labels(subject)
    results = [
        _gradients(subject, _unlabelled(instances, 1, junk)) for junk in (0.0, 1e4, float("nan"))
    ]
    for other in results[1:]:
        for name, gradient in results[0].items():
            if not torch.allclose(gradient, other[name], rtol=1e-4, atol=1e-9):
                fail(
                    f"gets another {name} with the coordinates of keypoints without a label",
                    "no difference, even for NaN there",
                    "Leave them out by their weight in codec and loss",
                )
    for name, gradient in _gradients(subject, _unlabelled(instances, 0, 0.0)).items():
        if not (gradient == 0).all():
            fail(
                f"gets a {name} from images without a single label",
                "none",
                "Multiply each element of the loss by its weight",
            )
    return "no gradient from keypoints without a label"


def _unlabelled(instances: Instances, kept: int, junk: float) -> Instances:
    """Return labels of the first few keypoints alone, of unique body parts likewise.

    Args:
        instances: labels of all of them.
        kept: how many keep their label.
        junk: the coordinates of the others.
    """
    visibility = instances.visibility.clone()
    visibility[:, :, kept:] = 0
    known = (visibility > 0)[..., None]
    return replace(
        instances,
        keypoints=torch.where(known, instances.keypoints, torch.tensor(junk)),
        visibility=visibility,
        unique=instances.unique and _unlabelled(instances.unique, kept, junk),
    )


def _gradients(subject: Subject, instances: Instances) -> dict[str, Tensor]:
    """Return the gradient of every parameter and of the feature maps, by name."""
    head = subject.build().train()
    features = tuple(f.requires_grad_() for f in inputs_of(subject)[0])
    total = _total(head.loss(features, instances, subject.options.size))
    if total.requires_grad:
        total.backward()
    found = {f"gradient of {name}": p for name, p in head.named_parameters() if p.requires_grad}
    found |= {f"gradient of feature map {i}": f for i, f in enumerate(features)}
    return {
        name: tensor.grad if tensor.grad is not None else torch.zeros_like(tensor)
        for name, tensor in found.items()
    }


def _total(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def overfits(subject: Subject) -> str:
    """On feature maps that learn, too, it learns to say of two images what their labels say."""
    kept = _trained(subject)
    limit = max(_LEARNT, subject.options.tolerance)
    if not kept["error"] <= limit:
        fail(
            f"is {kept['error']:.3g} px off after {subject.options.steps} steps on two images; its "
            f"loss went from {kept['first']:.4g} to {kept['last']:.4g}",
            f"at most {limit:g} px",
            "See that loss, codec and outputs speak of the same thing; steps=... or arguments=... "
            "if it only learns slowly",
        )
    return (
        f"{kept['error']:.2g} px off after {subject.options.steps} steps, loss from "
        f"{kept['first']:.4g} to {kept['last']:.4g}"
    )


def bfloat16_pixels(subject: Subject) -> str:
    """Once trained, it predicts nearly the same keypoints under autocast to bfloat16."""
    kept = _trained(subject)
    if not kept["error"] <= max(_LEARNT, subject.options.tolerance):
        skip("it has learnt nothing that could be compared, see 'overfits'")
    head, features = kept["head"], kept["features"]
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = _found(head, features, subject.options.size, kept["instances"])
    moved = _moved(found, kept["found"])
    if not moved <= 1.0:
        fail(
            f"predicts keypoints {moved:.3g} px away under bfloat16",
            "at most 1 px",
            "Compute coordinates, sums and exponentials in float32 (x.float())",
        )
    return f"moved by at most {moved:.2g} px"


def _found(head: Head, features: tuple[Tensor, ...], size: Size, instances: Instances) -> Poses:
    """Return what a head predicts; of one that completes poses, what it adds to those of labels."""
    with torch.no_grad():
        if not head.completes:
            return head.predict(features, size)
        outputs = {name: value.float() for name, value in head(features).items()}
        return head.complete(as_poses(instances), outputs, size)


def _error(head: Head, found: Poses, instances: Instances) -> float:
    """Return by how many pixels predictions are beside the labels."""
    if head.completes:
        return disagreement(found, instances)
    offsets = (found.keypoints[:, :, None] - instances.keypoints[:, None]).norm(dim=-1)
    return float(offsets.amin(dim=1).mean())


def _moved(found: Poses, other: Poses) -> float:
    """Return by how many pixels predictions differ; infinitely where an animal is another one."""
    who, before = found.identities, other.identities
    if who is not None and before is not None and not torch.equal(who, before):
        return float("inf")
    moves = (found.keypoints - other.keypoints).norm(dim=-1)
    if found.unique is not None and other.unique is not None:
        return max(float(moves.max()), _moved(found.unique, other.unique))
    return float(moves.max())


def _trained(subject: Subject) -> dict[str, Any]:
    """Return a head that has learnt two images together with the feature maps it is given.

    Two, since there are no statistics of one where a layer normalises numbers over a batch.
    """
    if "trained" not in subject.kept:
        torch.manual_seed(0)
        head: Head = subject.build().train()
        size = subject.options.size
        features = feature_maps(*subject.features, size)
        features = tuple(f.requires_grad_() for f in features)
        instances = animals(size, 2) if head.completes else _labels(subject)
        trained = [p for p in head.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam([*trained, *features], lr=0.02)
        values = []
        for _ in range(subject.options.steps):
            optimizer.zero_grad()
            loss = _total(head.loss(features, instances, size))
            loss.backward()
            optimizer.step()
            values.append(loss.item())
        features = tuple(f.detach() for f in features)
        with torch.no_grad():
            for _ in range(_SETTLING):
                head(features)
            head.eval()
            found = _found(head, features, size, instances)
        subject.kept["trained"] = dict(
            head=head,
            features=features,
            instances=instances,
            found=found,
            error=_error(head, found, instances),
            first=values[0],
            last=values[-1],
        )
    return subject.kept["trained"]  # type: ignore[no-any-return]


CHECKS = (
    outputs_fit_codec,
    targets_fit_losses,
    predicts,
    finite_loss,
    ignores_unlabelled,
    *MODULE_CHECKS,
    overfits,
    bfloat16_pixels,
)
