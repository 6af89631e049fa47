"""What the trace says of a head: its outputs, codec and losses, held against one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor

from dlcreg.contracts import Codec, CompletingCodec, Head, Loss, Size
from dlcreg.structures import DatasetInfo, Instances, Poses


def is_of_meta(text: str) -> bool:
    """Return whether an error came from looking at values on the meta device."""
    return "meta" in text.lower() or "NotImplementedError" in text


def wrong_outputs(head: Head, outputs: Any, size: Size, count: int | None) -> str:
    """Return where outputs are not what the codec of their head speaks of, or nothing."""
    if not isinstance(outputs, Mapping) or not all(isinstance(v, Tensor) for v in outputs.values()):
        return f"must return a dict of tensors by name, not a {type(outputs).__name__}."
    codec = type(head.codec).__name__
    wanted = head.codec.output_channels(count) if count else dict.fromkeys(outputs, 0)
    for name, channels in wanted.items():
        if name not in outputs:
            return f"gives no {name!r}, which {codec} decodes. It gives: {', '.join(outputs)}."
        if outputs[name].dim() < 2:
            return f"gives {name!r} the shape {tuple(outputs[name].shape)}, not (B, C, ...)."
        real = outputs[name].shape[1]
        if count and real != channels:
            return (
                f"gives {name!r} {real} channels, but {codec} speaks of {channels} for "
                f"{count} keypoints."
            )
        shape = tuple(outputs[name].shape[2:])
        if len(shape) != 2 or size == (0, 0):
            continue
        try:
            expected = tuple(head.codec.map_size(size))
        except ValueError as error:
            return f"makes maps, but {error}."
        if shape != expected:
            return (
                f"makes {name!r} of {shape[0]} x {shape[1]} cells from an image of "
                f"{size[0]} x {size[1]}, but {codec} draws targets of {expected[0]} x "
                f"{expected[1]}: the stride that the head tells its codec is not the real one."
            )
    return ""


def wrong_codec(head: Head, outputs: Mapping[str, Tensor], size: Size, count: int) -> str:
    """Return what is wrong with a codec's targets for, or poses of, fitting outputs, or nothing.

    Nothing is known of a codec that looks at values, which there are none of on the meta device.
    """
    codec = head.codec
    device = next(iter(outputs.values())).device
    step = "encode"
    try:
        with torch.no_grad(), torch.device(device):
            labels = one_animal(size, count)
            targets = codec.encode(labels, size)
            step = "complete" if isinstance(codec, CompletingCodec) else "decode"
            poses = decoded(codec, outputs, labels, size)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return "" if is_of_meta(text) else f"fails in {step}: {text.splitlines()[0]}."
    for name in codec.output_channels(count):
        if name not in targets:
            return f"draws no target for {name!r}. It draws: {', '.join(targets)}."
        target, weight = (tuple(tensor.shape) for tensor in targets[name])
        wrong = _wrong_target(head, name, target, tuple(outputs[name].shape))
        if wrong:
            return wrong
        if not _broadcasts(weight, target):
            return f"gives {name!r} a weight of shape {weight}, which {target} has no use for."
    shape = tuple(poses.keypoints.shape)
    if len(shape) != 4 or shape[2:] != (count, 2):
        return f"decodes keypoints of shape {shape}, not (B, N, {count}, 2)."
    return ""


def _wrong_target(head: Head, name: str, target: tuple[int, ...], real: tuple[int, ...]) -> str:
    if name not in head.losses:  # nothing compares the two, but that they speak of the same
        fits = target[:2] == real[:2]
        return "" if fits else f"draws a target of shape {target} for {name!r}, not {real}."
    loss = cast(Loss, head.losses[name])
    wanted = tuple(loss.target_shape(real))
    if target == wanted:
        return ""
    what = f"draws a target of shape {target} for {name!r}, but the head gives {real}"
    return (
        f"{what}." if wanted == real else f"{what}, for which {type(loss).__name__} takes {wanted}."
    )


def decoded(codec: Codec, outputs: Mapping[str, Tensor], labels: Instances, size: Size) -> Poses:
    """Return the poses that outputs decode to; of a codec that completes some, those of labels."""
    if not isinstance(codec, CompletingCodec):
        return codec.decode(outputs, size)
    likely = torch.ones_like(labels.keypoints[..., 0])
    poses = Poses(labels.keypoints, likely, likely.amax(dim=-1), labels.valid)
    return codec.complete(poses, outputs, size)


def one_animal(size: Size, count: int) -> Instances:
    """Return labels of an animal in the middle of the image, on the device that torch is set to."""
    height, width = size
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2])
    return Instances(
        keypoints=middle.expand(1, 1, count, 2).clone(),
        visibility=torch.full((1, 1, count), 2, dtype=torch.uint8),
        boxes=torch.tensor([[[0.0, 0.0, width, height]]]),
        areas=torch.full((1, 1), float(width * height)),
        valid=torch.ones(1, 1, dtype=torch.bool),
        ids=torch.zeros(1, 1, dtype=torch.int64),
    )


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return tuple(torch.broadcast_shapes(shape, to)) == to
    except RuntimeError:
        return False


def too_many(head: Head, limit: int, info: DatasetInfo) -> str:
    """Return why a codec does not suit data with several animals in an image."""
    return (
        f"{type(head.codec).__name__} finds {limit} animal in an image, but the data has up to "
        f"{info.num_individuals}. Cut the animals out (view='instance' in every data set, with a "
        "transform such as CropInstance), or take a codec for several animals."
    )
