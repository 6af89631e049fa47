"""The data that flows between the rooms of the house: plain dataclasses with no logic of their own.

Conventions, the same everywhere:

* Pixel centres have integer coordinates: the top left pixel's centre is (0, 0).
* ``keypoints`` float32 ``(..., K, 2)`` as x, y; ``visibility`` uint8 ``(..., K)``: 0 not labelled,
  1 occluded, 2 visible. Where visibility is 0 the coordinates are 0 and mean nothing.
* ``boxes`` float32 ``(..., 4)`` as x, y, width, height.
* images RGB uint8, ``(H, W, 3)`` in a `Sample`, ``(B, 3, H, W)`` in a `Batch`.

In a `Sample` the arrays are numpy, in a `Batch` and in `Poses` they are torch tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

Self = TypeVar("Self", bound="_Movable")


class _Movable:
    """A dataclass whose tensors move to a device together."""

    def to(self: Self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Return a copy whose tensors lie on `device`."""
        moved = {}
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if isinstance(value, (Tensor, _Movable)):
                moved[item.name] = value.to(device, non_blocking=non_blocking)
        return replace(self, **moved)  # type: ignore[type-var]

    def pin_memory(self: Self) -> Self:
        """Return a copy in page-locked memory, from which a GPU copies in the background."""
        pinned = {}
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if isinstance(value, (Tensor, _Movable)):
                pinned[item.name] = value.pin_memory()
        return replace(self, **pinned)  # type: ignore[type-var]


@dataclass
class Instances(_Movable):
    """The labelled animals of an image ``(N, ...)`` or of a batch of images ``(B, N, ...)``.

    Args:
        keypoints: float32 ``(..., N, K, 2)``, pixels of the image they belong to.
        visibility: uint8 ``(..., N, K)``; 0 not labelled, 1 occluded, 2 visible.
        boxes: float32 ``(..., N, 4)``, x, y, width, height.
        areas: float32 ``(..., N)``, square pixels, for OKS.
        valid: bool ``(..., N)``; False for the rows that only pad a batch.
        ids: int64 ``(..., N)``, index of the individual in the project; -1 where unknown.
        unique: the unique body parts, which an image has once whatever the number of animals:
            labels with N = 1 and K axis of their own; None for data that has none.
        crowds: float32 ``(C, 4)``, boxes of an original image within which there are animals that
            nobody told apart: what is found there is no mistake. None for none, and in batches.
    """

    keypoints: Any
    visibility: Any
    boxes: Any
    areas: Any
    valid: Any
    ids: Any
    unique: Instances | None = None
    crowds: Any = None

    def __len__(self) -> int:
        return int(self.valid.shape[-1])


@dataclass
class Meta:
    """Where a sample comes from.

    Args:
        image_id: number of the image in its data set (COCO's id for a COCO file).
        path: name of the image relative to the root of its data set, with forward slashes.
        size: height, width of the original image in pixels.
        instance: index of the animal among the image's annotations for an instance crop, or of
            the proposal among the image's where nobody says which animal it is; None for a whole
            image.
        index: position of the sample in its data set.
        score: of the proposal that the crop is cut by; 1 for a labelled box or a whole image.
    """

    image_id: int
    path: str
    size: tuple[int, int]
    instance: int | None = None
    index: int = 0
    score: float = 1.0


@dataclass
class Sample:
    """One image, or one crop of an image, with its animals.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        instances: numpy arrays, in pixels of `image`.
        matrix: float64 ``(2, 3)``, maps pixels of `image` to pixels of the original image.
        meta: where the sample comes from.
        condition: float32 ``(K, 3)`` x, y, score in pixels of `image`, for conditioned models;
            a keypoint of score 0 is not there.
        neighbours: for an instance crop, the other labelled animals of its image, in pixels of
            `image`, whether they lie within it or not; None: not known. No batch holds them.
    """

    image: np.ndarray
    instances: Instances
    matrix: np.ndarray
    meta: Meta
    condition: np.ndarray | None = None
    neighbours: Instances | None = None


@dataclass
class Batch(_Movable):
    """Samples stacked; smaller images are padded at the right and the bottom.

    Args:
        images: uint8 ``(B, 3, H, W)`` RGB.
        instances: tensors ``(B, N, ...)``, in pixels of `images`.
        matrix: float32 ``(B, 2, 3)``, pixels of `images` to pixels of the original image.
        meta: one for each sample.
        condition: float32 ``(B, K, 3)`` or None.
    """

    images: Tensor
    instances: Instances
    matrix: Tensor
    meta: list[Meta]
    condition: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)


@dataclass
class Poses(_Movable):
    """Predicted poses of a batch.

    Args:
        keypoints: float32 ``(B, N, K, 2)``, x, y in pixels; NaN for a keypoint that was not found
            of an animal that was.
        scores: float32 ``(B, N, K)``, likelihood of each keypoint; 0 for one that was not found.
        instance_scores: float32 ``(B, N)``.
        valid: bool ``(B, N)``; False for the rows that only pad.
        boxes: float32 ``(B, N, 4)`` x, y, width, height, or None.
        identities: int64 ``(B, N)``, index of the individual in `DatasetInfo.individuals`; -1 for
            an animal that is none of them; or None.
        identity_scores: float32 ``(B, N, K, A)``, likelihood that a keypoint belongs to each of the
            A individuals; 0 where the keypoint was not found; or None.
        unique: the unique body parts, ``(B, 1, U, ...)``; or None.
    """

    keypoints: Tensor
    scores: Tensor
    instance_scores: Tensor
    valid: Tensor
    boxes: Tensor | None = None
    identities: Tensor | None = None
    identity_scores: Tensor | None = None
    unique: Poses | None = None

    def __len__(self) -> int:
        return len(self.keypoints)

    def to_image(self, matrix: Tensor) -> Poses:
        """Return the poses in pixels of the original images.

        Args:
            matrix: float ``(B, 2, 3)``, model input -> original image (`Batch.matrix`).
        """
        m = matrix.to(self.keypoints)[:, None]  # (B, 1, 2, 3)
        keypoints = self.keypoints @ m[..., :2].transpose(-1, -2) + m[..., None, :, 2]
        boxes = self.boxes
        if boxes is not None:
            corners = torch.stack([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], dim=-2)
            corners = corners @ m[..., :2].transpose(-1, -2) + m[..., None, :, 2]
            low, high = corners.amin(dim=-2), corners.amax(dim=-2)
            boxes = torch.cat([low, high - low], dim=-1)
        unique = None if self.unique is None else self.unique.to_image(matrix)
        return replace(self, keypoints=keypoints, boxes=boxes, unique=unique)


@dataclass
class Boxes(_Movable):
    """Animals that were detected in a batch.

    Args:
        boxes: float32 ``(B, N, 4)``, x, y, width, height in pixels.
        scores: float32 ``(B, N)``.
        valid: bool ``(B, N)``; False for the rows that only pad.
    """

    boxes: Tensor
    scores: Tensor
    valid: Tensor

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class DatasetInfo:
    """What a data set tells the other parts; its fields are wired by parameter name.

    Args:
        keypoint_names: names in the order of the K axis.
        skeleton: pairs of keypoint indices.
        flip_pairs: pairs of indices of left and right twins.
        num_individuals: largest number of animals in one sample (1 for instance crops).
        sigmas: OKS constants per keypoint (COCO's convention, k = 2 sigma).
        individuals: names of the animals, where the project knows them.
        identified: whether an individual is the same animal in all images, so that it can be learnt
            who is who.
        unique: the unique body parts, which an image has once whatever the number of animals; None
            for data that has none.
    """

    keypoint_names: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    num_individuals: int = 1
    sigmas: tuple[float, ...] = ()
    individuals: tuple[str, ...] = field(default=())
    identified: bool = False
    unique: DatasetInfo | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DatasetInfo:
        """Return what `dataclasses.asdict` made the values of, as a checkpoint or JSON holds them.

        Both have lists where there were tuples.
        """
        unique = values.get("unique")
        frozen = {name: _frozen(value) for name, value in values.items()}
        return cls(**{**frozen, "unique": cls.from_dict(unique) if unique else None})

    @property
    def num_keypoints(self) -> int:
        """Number of keypoints K."""
        return len(self.keypoint_names)

    def wiring(self) -> dict[str, Any]:
        """Return the values that components are given by parameter name."""
        return {
            "num_keypoints": self.num_keypoints,
            "num_individuals": self.num_individuals,
            "skeleton": self.skeleton,
            "flip_pairs": self.flip_pairs,
            "keypoint_names": self.keypoint_names,
            "sigmas": self.sigmas or None,
            "individuals": self.individuals if self.identified else (),
            "num_unique_keypoints": self.unique.num_keypoints if self.unique else 0,
            "unique_keypoint_names": self.unique.keypoint_names if self.unique else (),
            "unique_flip_pairs": self.unique.flip_pairs if self.unique else (),
        }


def _frozen(value: Any) -> Any:
    """Return tuples for lists, those within others too."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
