"""The checks of codecs: what is encoded is decoded, wherever it lies and whatever is missing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dlcreg.contracts import Codec
from dlcreg.structures import Instances, Poses
from dlcreg.testing.devices import stays_there, to_meta
from dlcreg.testing.results import fail, skip
from dlcreg.testing.samples import cloned, difference, ideal_outputs, labels, poses, slices
from dlcreg.testing.subject import INFO, Subject

_BIG = (160, 224)
"""Height and width of images with an inside: further from the border than a codec looks."""
_INSIDE = 48.0


def _animals(codec: Codec) -> int:
    return 1 if codec.max_individuals is not None and codec.max_individuals < 2 else 2


def _decoded(subject: Subject, codec: Codec, instances: Instances, size: Any) -> Poses:
    return codec.decode(ideal_outputs(subject, codec.encode(instances, size)), size)


def _errors(found: Poses, keypoints: Tensor) -> Tensor:
    """Return predicted minus labelled keypoints ``(B, N, K, 2)``, of the nearest predictions."""
    offsets = found.keypoints[:, None] - keypoints[:, :, None]  # (B, N, P, K, 2)
    distance = offsets.norm(dim=-1).mean(dim=-1)
    distance = distance.masked_fill(~found.valid[:, None], torch.inf)
    nearest = distance.argmin(dim=-1)[:, :, None, None, None]
    return offsets.gather(2, nearest.expand(-1, -1, 1, *offsets.shape[3:]))[:, :, 0]


def _inside(subject: Subject, codec: Codec) -> Tensor:
    keypoints = poses(_BIG, images=16, animals=_animals(codec), margin=_INSIDE)
    return _errors(_decoded(subject, codec, labels(keypoints), _BIG), keypoints)


def targets_fit(subject: Subject) -> str:
    """It draws a finite target and a weight for each output that it speaks of."""
    codec = subject.build()
    size = subject.options.size
    targets = codec.encode(labels(poses(size)), size)
    channels = codec.output_channels(INFO.num_keypoints)
    if targets.keys() != channels.keys():
        fail(
            f"speaks of {', '.join(channels)}, but draws {', '.join(targets)}",
            "a target for each name in output_channels, and no other",
            "Let encode and output_channels name the same outputs",
        )
    outputs = ideal_outputs(subject, targets)
    for name, (target, weight) in targets.items():
        if not target.isfinite().all() or not weight.isfinite().all():
            fail(f"draws a target {name!r} that is not finite", "finite numbers", "See encode")
        if torch.broadcast_shapes(weight.shape, target.shape) != target.shape:
            fail(
                f"gives {name!r} a weight of shape {tuple(weight.shape)}",
                f"one that broadcasts to the target's {tuple(target.shape)}",
                "Give it as many dimensions, of length 1 where all share a weight",
            )
        if outputs[name].shape[:2] != (len(target), channels[name]):
            fail(
                f"draws {name!r} with {target.shape[1]} channels",
                f"the {channels[name]} of output_channels",
                "Let both follow from the number of keypoints",
            )
        if codec.stride is not None and target.dim() == 4:
            wanted = tuple(codec.map_size(size))
            if tuple(target.shape[2:]) != wanted:
                fail(
                    f"draws {name!r} of {tuple(target.shape[2:])} cells",
                    f"the {wanted} of map_size",
                    "Use self.map_size(size) in encode",
                )
    return ", ".join(f"{name} {tuple(target.shape)}" for name, (target, _) in targets.items())


def poses_fit(subject: Subject) -> str:
    """It decodes the outputs of an untrained model, too, to finite poses of the right shapes."""
    codec = subject.build()
    size = subject.options.size
    outputs = ideal_outputs(subject, codec.encode(labels(poses(size)), size))
    noise = {name: torch.randn_like(value) for name, value in outputs.items()}
    flat = {name: torch.zeros_like(value) for name, value in outputs.items()}
    for what, tried in (("perfect", outputs), ("random", noise), ("empty", flat)):
        found = codec.decode(tried, size)
        b, n, k = found.scores.shape
        shapes = {
            "keypoints": (found.keypoints, (b, n, k, 2)),
            "instance_scores": (found.instance_scores, (b, n)),
            "valid": (found.valid, (b, n)),
        }
        for name, (tensor, wanted) in shapes.items():
            if tuple(tensor.shape) != wanted or (b, k) != (4, INFO.num_keypoints):
                fail(
                    f"decodes {what} outputs to {name} of shape {tuple(tensor.shape)}",
                    "keypoints (B, N, K, 2), scores (B, N, K), instance_scores and valid (B, N)",
                    "Add the axis of animals, also where there is one",
                )
        sound = found.keypoints.isfinite().all(-1) & found.scores.isfinite()
        if not sound[found.valid].all() or found.valid.dtype != torch.bool:
            fail(
                f"decodes {what} outputs to keypoints or scores that are not finite",
                "finite ones wherever the bool tensor `valid` is True",
                "Guard divisions and logarithms",
            )
    return "perfect, random and empty outputs are decoded"


def no_offset(subject: Subject) -> str:
    """Decoded keypoints are not off by the same way everywhere, such as half a pixel."""
    errors = _inside(subject, subject.build()).flatten(0, 2)
    offset = errors.mean(dim=0)
    spread = (errors - offset).norm(dim=-1).max()
    x, y = offset.tolist()
    if offset.norm() > subject.options.tolerance and offset.norm() > spread / 2:
        fail(
            f"decodes what it encodes {x:+.3f}, {y:+.3f} px away on average",
            f"less than {subject.options.tolerance:g} px: the top left pixel's centre is (0, 0)",
            "Let encode and decode agree where the centre of cell 0 lies; for cells of `stride` "
            "pixels that are to be mirrored exactly it is (stride - 1) / 2",
        )
    return f"{x:+.4f}, {y:+.4f} px on average"


def round_trip(subject: Subject) -> str:
    """decode(encode(k)) gives k back inside the image, but for an offset (see no_offset)."""
    errors = _inside(subject, subject.build())
    spread = errors - errors.mean(dim=(0, 1, 2))
    worst = float(spread.norm(dim=-1).max())
    if not worst <= subject.options.tolerance:
        fail(
            f"decodes what it encodes up to {worst:.3g} px away",
            f"at most {subject.options.tolerance:g} px",
            "See the order of x and y, the stride, and the interpolation between cells; "
            "tolerance=... if the method can do no better",
        )
    return f"at most {worst:.2g} px off"


def round_trip_at_borders(subject: Subject) -> str:
    """decode(encode(k)) gives k back up to the outermost pixels."""
    codec = subject.build()
    height, width = subject.options.size
    x = torch.tensor([0.0, 0.4, width / 2, width - 1.3, width - 1.0])
    y = torch.tensor([0.0, 0.7, height / 3, height - 1.6, height - 1.0])
    grid = torch.stack(torch.meshgrid(x, y, indexing="ij"), dim=-1).reshape(-1, 1, 1, 2)
    keypoints = grid.expand(-1, 1, INFO.num_keypoints, 2).contiguous()
    found = _decoded(subject, codec, labels(keypoints), (height, width))
    errors = _errors(found, keypoints) - _inside(subject, codec).mean(dim=(0, 1, 2))
    distance = errors.norm(dim=-1).amax(dim=(1, 2))
    worst = float(distance.max())
    if not worst <= subject.options.tolerance:
        at = keypoints[int(distance.argmax()), 0, 0].tolist()
        fail(
            f"decodes a keypoint at x={at[0]:g}, y={at[1]:g} of an image of {height} x {width} "
            f"{worst:.3g} px away",
            f"at most {subject.options.tolerance:g} px",
            "At a border the peak has neighbours on one side only: do not clamp it",
        )
    return f"at most {worst:.2g} px off"


def ignores_unlabelled(subject: Subject) -> str:
    """Whatever lies at a keypoint without a label changes nothing, and weighs nothing."""
    codec = subject.build()
    size = subject.options.size
    keypoints = poses(size)
    visibility = torch.full(keypoints.shape[:3], 2, dtype=torch.uint8)
    visibility[:, :, 1] = 0
    visibility[0] = 0
    _same_targets(codec, labels(keypoints, visibility), visibility == 0, size, "without a label")
    for name, (_, weight) in codec.encode(labels(keypoints, visibility), size).items():
        if weight[0].any():
            fail(
                f"gives {name!r} a weight for an image in which nothing is labelled",
                "weight 0: nobody said that there is no animal",
                "Multiply the weight by visibility > 0",
            )
    return "coordinates at visibility 0 make no difference"


def ignores_padding(subject: Subject) -> str:
    """Rows that only pad a batch (`valid` False) change nothing."""
    codec = subject.build()
    size = subject.options.size
    keypoints = poses(size, animals=2)
    valid = torch.tensor([[True, False]]).expand(len(keypoints), 2)
    padded = labels(keypoints, valid=valid)
    _same_targets(codec, padded, ~valid[..., None].expand(keypoints.shape[:3]), size, "of padding")
    alone = labels(keypoints[:, :1])
    apart, place = difference(_weighted(codec.encode(padded, size)),
                              _weighted(codec.encode(alone, size)))  # fmt: skip
    if apart > 1e-5:
        fail(
            f"draws another target ({place}) where a row of padding follows",
            "the same: rows whose `valid` is False are no animals",
            "Leave out the rows whose instances.valid is False",
        )
    return "rows of padding make no difference"


def missing_keypoints(subject: Subject) -> str:
    """An animal's labelled keypoints come back where others of it have no label."""
    codec = subject.build()
    keypoints = poses(_BIG, margin=_INSIDE)
    visibility = torch.full(keypoints.shape[:3], 2, dtype=torch.uint8)
    visibility[0, :, 0] = 0
    visibility[1, :, 2:] = 0
    known = visibility > 0
    given = keypoints.masked_fill(~known[..., None], 0.0)
    found = _decoded(subject, codec, labels(given, visibility), _BIG)
    expected = _decoded(subject, codec, labels(keypoints), _BIG)
    apart = (found.keypoints - expected.keypoints).norm(dim=-1)[known]
    if float(apart.max()) > subject.options.tolerance:
        fail(
            f"moves labelled keypoints by {float(apart.max()):.3g} px where another has no label",
            f"at most {subject.options.tolerance:g} px",
            "Treat each keypoint by its own visibility",
        )
    return f"moved by at most {float(apart.max()):.2g} px"


def batch_independent(subject: Subject) -> str:
    """A batch is encoded and decoded as its images one by one."""
    codec = subject.build()
    size = subject.options.size
    instances = labels(poses(size))
    together = codec.encode(instances, size)
    outputs = ideal_outputs(subject, together)
    decoded = codec.decode(outputs, size)
    for i in range(len(instances.valid)):
        one = slice(i, i + 1)
        alone = codec.encode(slices(instances, one), size)
        tried = (
            ("encodes", _weighted(alone), slices(_weighted(together), one)),
            ("decodes", codec.decode(slices(outputs, one), size).keypoints, decoded.keypoints[one]),
        )
        for what, first, second in tried:
            apart, place = difference(first, second)
            if apart > 1e-5:
                fail(
                    f"{what} image {i} of a batch otherwise than alone ({place})",
                    "the same",
                    "Reduce over no more than the axes of one image; check that the index of the "
                    "image takes part in every gather",
                )
    return f"{len(instances.valid)} images, the same alone"


def stateless(subject: Subject) -> str:
    """Nothing of a call is kept: the same labels give the same, whatever came in between."""
    codec = subject.build()
    size = subject.options.size
    first, other = labels(poses(size)), labels(poses((96, 64), images=2, seed=1))
    before = pickle.dumps(vars(codec))
    targets = codec.encode(first, size)
    outputs = ideal_outputs(subject, targets)
    found = codec.decode(outputs, size)
    codec.decode(ideal_outputs(subject, codec.encode(other, (96, 64))), (96, 64))
    apart, place = difference(
        (_weighted(targets), found),
        (_weighted(codec.encode(first, size)), codec.decode(outputs, size)),
    )
    if apart or pickle.dumps(vars(codec)) != before:
        fail(
            f"remembers the call before ({place or 'an attribute has changed'})",
            "that encode and decode depend on their arguments alone: validation, several heads "
            "and threads share a codec",
            "Keep nothing in self outside __init__",
        )
    return "the same after other images"


def follows_device(subject: Subject) -> str:
    """It encodes and decodes on the device of its inputs."""
    codec = subject.build()
    size = subject.options.size
    instances = labels(poses(size))
    outputs = ideal_outputs(subject, codec.encode(instances, size))
    stays_there("encode", lambda: codec.encode(to_meta(instances), size))
    stays_there("decode", lambda: codec.decode(to_meta(outputs), size))
    return "on whatever device the inputs lie"


def input_unchanged(subject: Subject) -> str:
    """Labels and outputs are not changed in place."""
    codec = subject.build()
    size = subject.options.size
    instances = labels(poses(size))
    kept = cloned(instances)
    outputs = ideal_outputs(subject, codec.encode(instances, size))
    outputs_kept = cloned(outputs)
    codec.decode(outputs, size)
    apart, place = difference((instances, outputs), (kept, outputs_kept))
    if apart:
        what = "labels" if difference(instances, kept)[0] else "outputs"
        fail(f"changes its {what} ({place})", "that they are left as they are", "Clone first")
    return "labels and outputs are left as they are"


def flips(subject: Subject) -> str:
    """Outputs of mirrored images, given to `flip`, decode to the keypoints of the images."""
    codec = subject.build()
    twins = torch.tensor([0, 2, 1, 3])
    keypoints = poses(_BIG, margin=_INSIDE)
    mirrored = keypoints[:, :, twins].clone()
    mirrored[..., 0] = _BIG[1] - 1 - mirrored[..., 0]
    outputs = ideal_outputs(subject, codec.encode(labels(mirrored), _BIG))
    try:
        back = codec.flip(outputs, twins)
    except NotImplementedError:
        skip("it offers no flip test")
    decoded = codec.decode(back, _BIG)
    errors = _errors(decoded, keypoints) - _inside(subject, codec).mean(dim=(0, 1, 2))
    worst = float(errors.norm(dim=-1).max())
    if not worst <= subject.options.tolerance:
        fail(
            f"decodes flipped outputs {worst:.3g} px beside the keypoints of the image",
            f"at most {subject.options.tolerance:g} px",
            "Mirror the maps, exchange twins by flip_index, turn the sign of x offsets, and see "
            "whether the cells mirror onto themselves",
        )
    return f"at most {worst:.2g} px off"


def _weighted(targets: Mapping[str, Any]) -> dict[str, Any]:
    """Return targets where they have a weight, and the weights."""
    return {
        name: (torch.where(weight != 0, target, torch.zeros_like(target)), weight)
        for name, (target, weight) in targets.items()
    }


def _same_targets(
    codec: Codec, instances: Instances, unknown: Tensor, size: Any, what: str
) -> None:
    plain = _weighted(codec.encode(instances, size))
    for junk in (7.0, -1e4, float("nan")):
        spoilt = copy.copy(instances)
        filled = instances.keypoints.masked_fill(unknown[..., None], junk)
        spoilt = replace(spoilt, keypoints=filled)
        apart, place = difference(plain, _weighted(codec.encode(spoilt, size)))
        if apart > 1e-6:
            fail(
                f"draws another target ({place}) where the keypoints {what} lie at {junk:g}",
                "the same: such coordinates mean nothing",
                "Fill them with 0 (masked_fill) and give them weight 0",
            )


CHECKS = (
    targets_fit,
    poses_fit,
    no_offset,
    round_trip,
    round_trip_at_borders,
    ignores_unlabelled,
    ignores_padding,
    missing_keypoints,
    batch_independent,
    stateless,
    follows_device,
    input_unchanged,
    flips,
)
