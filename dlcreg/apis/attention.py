"""What a model's keypoints are found by: attention, and what the likelihood depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg.contracts import ShowsAttention, Size
from dlcreg.errors import DlcregError
from dlcreg.structures import Poses


@dataclass(frozen=True)
class Attention:
    """What the keypoints of one animal are found by.

    Args:
        keypoints: float ``(K, 2)``, where they were found, pixels of the model input.
        scores: float ``(K,)``, their likelihoods.
        maps: float ``(layers, K, h, w)``, the mean over the heads of each layer's attention.
        size: height and width in pixels that the maps cover: the model input, padded.
        effect: float ``(K, h, w)``, how much the likelihood of each keypoint hangs on what the
            attending part is given in each cell: the product of gradient and input, summed over
            the channels, without its sign. None where the likelihoods have no gradient.
        part: class of the part that attends.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    maps: np.ndarray
    size: Size
    effect: np.ndarray | None
    part: str


def attention_of(model: nn.Module, images: Tensor, keypoints: Sequence[int] = ()) -> Attention:
    """Return what the keypoints of the surest animal of one image are found by.

    Args:
        model: called as ``model(images, mode='predict')``; in evaluation mode.
        images: ``(1, 3, H, W)``, uint8 or normalised floats, on the device of the model.
        keypoints: indices of those whose `Attention.effect` is asked for; none: of all.

    Raises:
        DlcregError: the model has no part that tells its attention, or finds no animal.
    """
    part = attending_part(model)
    given: list[Any] = []
    handle = part.register_forward_pre_hook(_keep_as_leaves(given))
    try:
        with torch.enable_grad():
            poses = model(images, mode="predict")
    finally:
        handle.remove()
    poses = next(iter(poses.values())) if isinstance(poses, Mapping) else poses
    animal = _surest(poses)
    points, scores = poses.keypoints[:, animal].detach(), poses.scores[0, animal]
    inputs = given[-1]
    with torch.no_grad():
        maps = part.attention_maps(inputs, points)[:, 0].float().mean(dim=2)  # (layers, K, h, w)
    asked = list(keypoints) or list(range(len(scores)))
    effect = _effects(scores, inputs, asked, maps) if scores.requires_grad else None
    return Attention(
        points[0].cpu().numpy(),
        scores.detach().cpu().numpy(),
        maps.cpu().numpy(),
        _padded(model, images),
        None if effect is None else effect.cpu().numpy(),
        type(part).__name__,
    )


def attending_part(model: nn.Module) -> Any:
    """Return the first part of a model that keeps the contract `ShowsAttention`.

    Raises:
        DlcregError: there is none.
    """
    for module in model.modules():
        if isinstance(module, ShowsAttention):
            return module
    names = [type(child).__name__ for child in model.children() if list(child.parameters())]
    raise DlcregError(
        f"no part of this model tells its attention ({', '.join(names)}). Those that do have a "
        "method attention_maps(inputs, points), see dlcreg.contracts.ShowsAttention: "
        "TransformerNeck, for one."
    )


def _keep_as_leaves(given: list[Any]) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...]]:
    """Return a hook that keeps what a part is given, as tensors whose gradient can be asked for."""

    def hook(part: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        first = _leaves(inputs[0])
        given.append(first)
        return (first, *inputs[1:])

    return hook


def _leaves(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.detach()
        return value.requires_grad_() if value.is_floating_point() else value
    return tuple(_leaves(item) for item in value)


def _padded(model: nn.Module, images: Tensor) -> Size:
    divisor = int(getattr(model, "size_divisor", 1))
    height, width = (-(-length // divisor) * divisor for length in images.shape[-2:])
    return height, width


def _surest(poses: Poses) -> int:
    scores = poses.instance_scores[0].masked_fill(~poses.valid[0], -torch.inf)
    if not poses.valid[0].any():
        raise DlcregError("the model finds no animal in this image: there is nothing to explain.")
    return int(scores.argmax())


def _effects(scores: Tensor, inputs: Any, asked: Sequence[int], maps: Tensor) -> Tensor | None:
    """Return ``(K, h, w)``: zeros for keypoints that nobody asked for."""
    inputs = (inputs,) if isinstance(inputs, Tensor) else inputs
    leaves = [x for x in inputs if x.dim() == 4 and x.requires_grad]
    effects = maps.new_zeros(maps.shape[1:])
    height, width = maps.shape[-2:]
    for keypoint in asked:
        gradients = torch.autograd.grad(
            scores[keypoint], leaves, retain_graph=True, allow_unused=True
        )
        for leaf, gradient in zip(leaves, gradients, strict=True):
            if gradient is not None:
                product = (leaf.detach() * gradient).sum(dim=1, keepdim=True).abs()
                effects[keypoint] += F.adaptive_avg_pool2d(product.float(), (height, width))[0, 0]
    return effects
