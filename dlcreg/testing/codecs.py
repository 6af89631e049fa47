"""The checks of codecs: what is encoded is decoded, wherever it lies and whatever is missing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dlcreg.contracts import Codec, CompletingCodec
from dlcreg.structures import Instances
from dlcreg.testing.completing import COMPLETING, as_poses
from dlcreg.testing.devices import stays_there, to_meta
from dlcreg.testing.results import fail
from dlcreg.testing.round_trips import ROUND_TRIPS, finding
from dlcreg.testing.samples import cloned, difference, ideal_outputs, labels, poses, slices
from dlcreg.testing.subject import INFO, Subject


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
    """It decodes the outputs of an untrained model, too, to sound poses of the right shapes."""
    codec = finding(subject)
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
        there = found.keypoints.isfinite().all(-1) & found.scores.isfinite()
        missing = found.keypoints.isnan().all(-1) & (found.scores == 0)
        sound = (there | missing).all(-1) & there.any(-1)
        if not sound[found.valid].all() or found.valid.dtype != torch.bool:
            fail(
                f"decodes {what} outputs to keypoints or scores that are not finite",
                "finite ones wherever the bool tensor `valid` is True; NaN with the score 0 for a "
                "keypoint that was not found, if others of the animal were",
                "Guard divisions and logarithms",
            )
    return "perfect, random and empty outputs are decoded"


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


def batch_independent(subject: Subject) -> str:
    """A batch is encoded and decoded as its images one by one."""
    codec = subject.build()
    size = subject.options.size
    instances = labels(poses(size))
    together = codec.encode(instances, size)
    outputs = ideal_outputs(subject, together)
    decoded = _decoded(codec, outputs, instances, size)
    for i in range(len(instances.valid)):
        one = slice(i, i + 1)
        alone = codec.encode(slices(instances, one), size)
        tried = (
            ("encodes", _weighted(alone), slices(_weighted(together), one)),
            (
                "decodes",
                _decoded(codec, slices(outputs, one), slices(instances, one), size),
                slices(decoded, one),
            ),
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
    found = _decoded(codec, outputs, first, size)
    _decoded(codec, ideal_outputs(subject, codec.encode(other, (96, 64))), other, (96, 64))
    apart, place = difference(
        (_weighted(targets), found),
        (_weighted(codec.encode(first, size)), _decoded(codec, outputs, first, size)),
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
    there = to_meta(instances)
    stays_there("decode", lambda: _decoded(codec, to_meta(outputs), there, size))
    return "on whatever device the inputs lie"


def input_unchanged(subject: Subject) -> str:
    """Labels and outputs are not changed in place."""
    codec = subject.build()
    size = subject.options.size
    instances = labels(poses(size))
    kept = cloned(instances)
    outputs = ideal_outputs(subject, codec.encode(instances, size))
    outputs_kept = cloned(outputs)
    _decoded(codec, outputs, instances, size)
    apart, place = difference((instances, outputs), (kept, outputs_kept))
    if apart:
        what = "labels" if difference(instances, kept)[0] else "outputs"
        fail(f"changes its {what} ({place})", "that they are left as they are", "Clone first")
    return "labels and outputs are left as they are"


def _decoded(codec: Codec, outputs: Any, instances: Instances, size: Any) -> Any:
    """Return the keypoints that outputs decode to, or what they add to the poses of the labels."""
    if isinstance(codec, CompletingCodec):
        return codec.complete(as_poses(instances), outputs, size)
    return codec.decode(outputs, size).keypoints


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
    *ROUND_TRIPS,
    *COMPLETING,
    ignores_unlabelled,
    ignores_padding,
    batch_independent,
    stateless,
    follows_device,
    input_unchanged,
)
