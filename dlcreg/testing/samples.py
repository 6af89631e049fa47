"""Labels, images and feature maps to try parts on; everything follows from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dlcreg.contracts import Size
from dlcreg.structures import Instances
from dlcreg.testing.subject import INFO, Subject


def labels(
    keypoints: Tensor, visibility: Tensor | None = None, valid: Tensor | None = None
) -> Instances:
    """Return the labels of a batch, with unique body parts about the keypoints of the first animal.

    Args:
        keypoints: float ``(B, N, K, 2)``, pixels.
        visibility: uint8 ``(B, N, K)``; 2 everywhere by default.
        valid: bool ``(B, N)``; True everywhere by default.
    """
    b, n, k = keypoints.shape[:3]
    if visibility is None:
        visibility = torch.full((b, n, k), 2, dtype=torch.uint8)
    if valid is None:
        valid = torch.ones(b, n, dtype=torch.bool)
    low, high = keypoints.nan_to_num().amin(dim=2), keypoints.nan_to_num().amax(dim=2)
    unique = None
    if k == INFO.num_keypoints and n:
        count = len(INFO.unique.keypoint_names) if INFO.unique else 0
        first = valid[:, :1].clone()
        unique = labels(keypoints[:, :1, :count].clone(), visibility[:, :1, :count].clone(), first)
        unique.ids = torch.full_like(unique.ids, -1)
    return Instances(
        keypoints=keypoints,
        visibility=visibility,
        boxes=torch.cat([low, high - low], dim=-1),
        areas=(high - low).prod(dim=-1),
        valid=valid,
        ids=torch.arange(n).expand(b, n).clone(),
        unique=unique,
    )


def poses(
    size: Size, images: int = 4, animals: int = 1, margin: float = 0.0, seed: int = 0
) -> Tensor:
    """Return random keypoints ``(B, N, K, 2)`` at least `margin` pixels inside the image.

    Several animals lie in columns of the image of their own, so that none hides another.
    """
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(images, animals, INFO.num_keypoints, 2, generator=generator)
    column = (size[1] - 1 - 2 * margin) / animals
    left = margin + column * torch.arange(animals, dtype=torch.float32)[:, None]
    gap = min(margin, column / 4) if animals > 1 else 0.0
    x = left + gap / 2 + share[..., 0] * (column - gap)
    y = margin + share[..., 1] * (size[0] - 1 - 2 * margin)
    return torch.stack([x, y], dim=-1)


def pictures(size: Size, images: int = 2, seed: int = 0) -> Tensor:
    """Return normalised images ``(B, 3, H, W)``."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images, 3, *size, generator=generator)


def conditions(size: Size, images: int = 2, seed: int = 0) -> Tensor:
    """Return conditions ``(B, K, 3)``; of each the last keypoint but one is unknown, and NaN."""
    known = poses(size, images, margin=1.0, seed=seed)[:, 0]
    condition = torch.cat([known, torch.ones_like(known[..., :1])], dim=-1)
    condition[:, -2] = condition.new_tensor([torch.nan, torch.nan, 0.0])
    return condition


def animal_pictures(size: Size, images: int = 2, animals: int = 2) -> tuple[Tensor, Instances]:
    """Return normalised images with bright animals in columns of their own, and their labels.

    Args:
        size: height and width.
        images: number of images B.
        animals: in each of them.

    Returns:
        floats ``(B, 3, H, W)``, and labels whose boxes end where the animals do.
    """
    keypoints = poses(size, images, animals, margin=min(size) / 5)
    instances = labels(keypoints)
    seen = 0.1 * pictures(size, images) - 1
    y, x = torch.meshgrid(*(torch.arange(float(length)) for length in size), indexing="ij")
    for image, boxes in zip(seen, instances.boxes):
        for left, top, width, height in boxes.tolist():
            inside = (x >= left) & (x <= left + width) & (y >= top) & (y <= top + height)
            image[:, inside] += 2
    return seen, instances


def feature_maps(
    channels: Sequence[int], strides: Sequence[int], size: Size, images: int = 2, seed: int = 0
) -> tuple[Tensor, ...]:
    """Return feature maps ``(B, C, h, w)`` of images of `size`, finest first."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randn(images, c, -(-size[0] // s), -(-size[1] // s), generator=generator)
        for c, s in zip(channels, strides)
    )


def ideal_outputs(subject: Subject, targets: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return what a perfect model gives for the targets of a codec."""
    plain = {name: target for name, (target, _) in targets.items()}
    if subject.options.outputs is not None:
        return dict(subject.options.outputs(plain))
    return plain


def slices(value: Any, index: slice) -> Any:
    """Return some images of a tensor, or of tuples, dicts, labels and poses of tensors."""
    if value is None:
        return None
    if isinstance(value, Tensor):
        return value[index]
    if isinstance(value, Mapping):
        return {key: slices(item, index) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(slices(item, index) for item in value)
    return replace(value, **slices(vars(value), index))


def named(value: Any, name: str = "output") -> dict[str, Tensor]:
    """Return all tensors of tensors, tuples and dicts, by a name that tells where they are from."""
    if isinstance(value, Tensor):
        return {name: value}
    if isinstance(value, Mapping):
        items = [(f"{name}[{key!r}]", item) for key, item in value.items()]
    elif isinstance(value, (tuple, list)):
        items = [(f"{name}[{i}]", item) for i, item in enumerate(value)]
    else:
        items = [(f"{name}.{key}", item) for key, item in vars(value).items()]
        items = [(key, item) for key, item in items if item is not None]
    return {key: tensor for at, item in items for key, tensor in named(item, at).items()}


def cloned(value: Any) -> Any:
    """Return a copy of tensors, or of tuples, dicts, labels and poses of tensors."""
    if value is None:
        return None
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {key: cloned(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(cloned(item) for item in value)
    return replace(value, **cloned(vars(value)))


def difference(first: Any, second: Any) -> tuple[float, str]:
    """Return the largest difference of two such values relative to their size, and where it is.

    Infinite where names, shapes or the places of NaN differ.
    """
    one, two = named(first), named(second)
    if one.keys() != two.keys():
        return float("inf"), ", ".join(sorted(one.keys() ^ two.keys()))
    worst, place = 0.0, ""
    for name, a in one.items():
        b = two[name]
        if a.dtype == b.dtype and torch.equal(a, b):
            continue
        if a.shape != b.shape or (a.isnan() != b.isnan()).any():
            return float("inf"), name
        a, b = a.detach().double().nan_to_num(), b.detach().double().nan_to_num()
        scale = max(float(a.abs().max()), 1e-6) if a.numel() else 1.0
        apart = float((a - b).abs().max()) / scale if a.numel() else 0.0
        if apart > worst:
            worst, place = apart, name
    return worst, place
