"""Transforms of torchvision v2, seeded per sample and safe for keypoints."""

from __future__ import annotations

import copy
import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from dlcreg.contracts import Transform
from dlcreg.data.transforms.arguments import pairs_of
from dlcreg.data.transforms.foreign import move_along
from dlcreg.data.transforms.seeding import seeded_globals
from dlcreg.errors import DataError
from dlcreg.registry import TRANSFORMS
from dlcreg.schema import Foreign
from dlcreg.structures import Sample

_KeyPoints = getattr(tv_tensors, "KeyPoints", None)  # since torchvision 0.23

_MOVES_WRONGLY = {"ElasticTransform": "half a pixel and more"}
_CHANGES_KEYPOINTS_ALONE = {"ClampKeyPoints", "SanitizeKeyPoints"}
_HALF_A_PIXEL = {
    # these move points as if the first pixel's centre lay at 0.5; the others as if at 0
    "RandomAffine",
    "RandomPerspective",
    "RandomResize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomShortestSize",
    "Resize",
    "ScaleJitter",
}


_MIRRORS = {"RandomHorizontalFlip", "RandomVerticalFlip"}


def _class(name: str) -> type:
    cls = getattr(v2, name, None)
    if not isinstance(cls, type) or not issubclass(cls, v2.Transform):
        close = difflib.get_close_matches(name, dir(v2), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(f"torchvision.transforms.v2 has no transform {name!r}.{hint}")
    return cls


@TRANSFORMS.register_module()
class Torchvision(Transform):
    """Any transforms of torchvision v2 that move keypoints with the image, or leave them alone.

    Labels, boxes and the matrix follow, mirror images swap left and right, and all draws follow
    from (seed, epoch, index). `v2.ToDtype(torch.float32, scale=True)` with `v2.Normalize` gives
    float images, which a model takes as normalised.

    After `v2.RandomPerspective` the sample's matrix is a best fit: good for training alone.

    Args:
        transform: a transform or a ``v2.Compose``; or a dict such as
            ``dict(type='ColorJitter', brightness=0.3)``; or a list of these.
        flip_pairs: pairs of indices of left and right twins; None: the data set's.
        num_keypoints: wired from the data set.

    Raises:
        DataError: an unknown name or argument, or a transform that does not move keypoints with
            the image.
    """

    def __init__(
        self,
        transform: Annotated[dict | list | Callable, Foreign(_class, "a transform of torchvision")],
        flip_pairs: Sequence[tuple[int, int]] | None = None,
        num_keypoints: int | None = None,
    ) -> None:
        self.transform = _built(transform)
        self.flip_pairs = pairs_of(flip_pairs, num_keypoints)
        _refuse(self.transform)
        self.mirrors = any(type(leaf).__name__ in _MIRRORS for leaf in _leaves(self.transform))
        self._ready: Any = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the transformed sample."""
        with seeded_globals(rng):
            return move_along(sample, self._run, self.flip_pairs, "torchvision")

    def _run(self, image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._ready is None:
            self._ready = _corrected(self.transform)
        pixels = tv_tensors.Image(torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))))
        if _KeyPoints is None:
            result, moved = self._ready(pixels), points
            if result.shape[1:] != pixels.shape[1:]:
                raise DataError("moving keypoints needs torchvision 0.23 or newer; or use Affine")
        else:
            size = image.shape[:2]
            result, after = self._ready(pixels, _KeyPoints(points.copy(), canvas_size=size))
            moved = after.numpy()
        return result.permute(1, 2, 0).numpy(), moved

    def __getstate__(self) -> dict[str, Any]:
        """The corrected copy is made anew in a worker."""
        return {**self.__dict__, "_ready": None}


def _built(spec: Any) -> Any:
    if isinstance(spec, (list, tuple)):
        return v2.Compose([_built(item) for item in spec])
    if not isinstance(spec, Mapping):
        if isinstance(spec, v2.Transform):
            return spec
        raise DataError(
            "torchvision: a transform must be an object of torchvision.transforms.v2, or a dict "
            f"with its type; not {type(spec).__name__}"
        )
    options = dict(spec)
    name = str(options.pop("type", ""))
    cls = _class(name)
    if "transforms" in options:
        options["transforms"] = [_built(item) for item in options["transforms"]]
    try:
        return cls(**options)
    except (ValueError, TypeError) as error:
        raise DataError(f"torchvision {name}: {error}") from error


def _leaves(transform: Any) -> list[Any]:
    if hasattr(transform, "transforms"):  # Compose, RandomApply, RandomChoice, RandomOrder
        return [leaf for child in transform.transforms for leaf in _leaves(child)]
    return [transform]


def _refuse(transform: Any) -> None:
    for leaf in _leaves(transform):
        for cls in type(leaf).__mro__:
            if cls.__name__ in _MOVES_WRONGLY:
                raise DataError(
                    f"torchvision {cls.__name__} does not move keypoints with the image "
                    f"({_MOVES_WRONGLY[cls.__name__]}); use Affine instead"
                )
            if cls.__name__ in _CHANGES_KEYPOINTS_ALONE:
                raise DataError(
                    f"torchvision {cls.__name__} changes keypoints, and not the image; leave it "
                    "out: keypoints outside the image are dropped at the end"
                )
        if getattr(leaf, "expand", False):
            raise DataError(
                f"torchvision {type(leaf).__name__}(expand=True) does not move keypoints with "
                "the image (up to half a pixel); use Affine instead"
            )


def _corrected(transform: Any) -> Any:
    transform = copy.deepcopy(transform)
    for leaf in _leaves(transform):
        if any(cls.__name__ in _HALF_A_PIXEL for cls in type(leaf).__mro__):
            leaf.transform = functools.partial(_by_outline, leaf.transform)
    return transform


def _by_outline(original: Any, value: Any, params: dict[str, Any]) -> Any:
    if _KeyPoints is None or not isinstance(value, _KeyPoints):
        return original(value, params)
    shifted = tv_tensors.wrap(value.as_subclass(torch.Tensor) + 0.5, like=value)
    moved = original(shifted, params)
    return tv_tensors.wrap(moved.as_subclass(torch.Tensor) - 0.5, like=moved)
