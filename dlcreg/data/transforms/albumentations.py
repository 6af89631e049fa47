"""Transforms of albumentations (Buslaev et al. 2020), seeded per sample and safe for keypoints."""

from __future__ import annotations

import copy
import difflib
import functools
import os
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import cv2
import numpy as np

from dlcreg.contracts import Transform
from dlcreg.data.transforms.arguments import pairs_of
from dlcreg.data.transforms.foreign import move_along
from dlcreg.errors import DataError
from dlcreg.registry import TRANSFORMS
from dlcreg.schema import Foreign
from dlcreg.structures import Sample

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import would ask the network
import albumentations as A

_MOVES_WRONGLY = {
    # pixels between the keypoint and what it marked, measured on images of coordinates
    "ElasticTransform": "up to 2 px",
    "GridDistortion": "2 px, and some are lost",
    "GridElasticDeform": "several px",
    "OpticalDistortion": "2 px",
    "PiecewiseAffine": "2 px",
    "ThinPlateSpline": "tens of px",
    "RandomGridShuffle": "whole cells, to where the image no longer hangs together",
    "Mosaic": "into a picture made of several",
}
# Albumentations scales images by their outline, and keypoints as if pixel centres were corners:
# half a pixel apart. Where the image is resized as a whole its sizes before and after tell the
# scale, to which the rounding of the new size belongs; where it is also cut, the half pixel is
# added before and taken off after.
_RESIZES = {"LongestMaxSize", "RandomScale", "Resize", "SmallestMaxSize"}
_CUTS_AND_RESIZES = {
    "CropAndPad",
    "RandomResizedCrop",
    "RandomSizedBBoxSafeCrop",
    "RandomSizedCrop",
}


_MIRRORS = {"D4", "HorizontalFlip", "SquareSymmetry", "Transpose", "VerticalFlip"}


def _class(name: str) -> type:
    cls = getattr(A, name, None)
    if not isinstance(cls, type) or not issubclass(cls, (A.BasicTransform, A.BaseCompose)):
        close = difflib.get_close_matches(name, dir(A), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(f"albumentations has no transform {name!r}.{hint}")
    return cls


@TRANSFORMS.register_module()
class Albumentations(Transform):
    """Any transforms of albumentations that move keypoints with the image, or leave them alone.

    Put this after the geometric transforms of dlcreg: the crop is smaller than the frame.
    Labels, boxes and the matrix follow, mirror images swap left and right, keypoints that leave
    the image are kept until the end, resizing is corrected by its half pixel, and all draws
    follow from (seed, epoch, index). `A.Normalize` gives float images, which a model takes as
    normalised; `A.ToTensorV2` has no effect. Other targets and parameters of an `A.Compose`
    (boxes, masks, labels, its seed) are not used.

    After `A.Perspective` the sample's matrix is a best fit: good for training alone.

    Args:
        transform: a transform or an ``A.Compose``; or a dict such as
            ``dict(type='GaussNoise', std_range=(0.02, 0.1), p=0.5)``; or a list of these.
            ``dict(type='OneOf', transforms=[...])`` may be nested.
        flip_pairs: pairs of indices of left and right twins; None: the data set's.
        num_keypoints: wired from the data set.

    Raises:
        DataError: an unknown name or argument, or a transform that does not move keypoints with
            the image, or needs more than these two.
    """

    def __init__(
        self,
        transform: Annotated[
            dict | list | Callable, Foreign(_class, "a transform of albumentations")
        ],
        flip_pairs: Sequence[tuple[int, int]] | None = None,
        num_keypoints: int | None = None,
    ) -> None:
        self.transform = _built(transform)
        self.flip_pairs = pairs_of(flip_pairs, num_keypoints)
        _refuse(self.transform)
        self.mirrors = any(type(leaf).__name__ in _MIRRORS for leaf in _leaves(self.transform))
        self._ready: A.Compose | None = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the transformed sample."""
        run = functools.partial(self._run, rng)
        return move_along(sample, run, self.flip_pairs, "albumentations")

    def _run(
        self, rng: np.random.Generator, image: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if self._ready is None:
            self._ready = _compose(self.transform)
        # A.Compose(seed=...) would give all its transforms one stream: flips that always agree
        self._ready.set_random_state(rng, random.Random(int(rng.integers(2**32))))
        result = self._ready(image=image, keypoints=points)
        image = result["image"]
        if not isinstance(image, np.ndarray):  # ToTensorV2
            image = image.permute(1, 2, 0).numpy()
        return image, np.asarray(result["keypoints"], np.float32).reshape(-1, 2)

    def __getstate__(self) -> dict[str, Any]:
        """The corrected copy holds what cannot be sent to a spawned worker; it is made anew."""
        return {**self.__dict__, "_ready": None}


def _built(spec: Any) -> Any:
    if isinstance(spec, (list, tuple)):
        return A.Compose([_built(item) for item in spec])
    if not isinstance(spec, Mapping):
        if isinstance(spec, (A.BasicTransform, A.BaseCompose)):
            return spec
        raise DataError(
            "albumentations: a transform must be an object of albumentations, or a dict with "
            f"its type; not {type(spec).__name__}"
        )
    options = dict(spec)
    name = str(options.pop("type", ""))
    cls = _class(name)
    if issubclass(cls, A.BaseCompose) and "transforms" in options:
        options["transforms"] = [_built(item) for item in options["transforms"]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a misspelt argument only warns there
        try:
            return cls(**options)
        except (ValueError, TypeError, UserWarning) as error:
            raise DataError(f"albumentations {name}: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith("For further information")]
    return "; ".join(kept)


def _leaves(transform: Any) -> list[Any]:
    if isinstance(transform, A.BaseCompose):
        return [leaf for child in transform.transforms for leaf in _leaves(child)]
    return [transform]


def _refuse(transform: Any) -> None:
    for leaf in _leaves(transform):
        for cls in type(leaf).__mro__:
            if cls.__name__ in _MOVES_WRONGLY:
                raise DataError(
                    f"albumentations {cls.__name__} does not move keypoints with the image "
                    f"({_MOVES_WRONGLY[cls.__name__]}); use Affine instead"
                )
        missing = _missing(leaf)
        if missing:
            raise DataError(
                f"albumentations {type(leaf).__name__} needs {missing!r}, and dlcreg gives it "
                "image and keypoints alone; leave it out"
            )


def _missing(leaf: Any) -> str:
    """Return what a transform needs beside image and keypoints, or nothing.

    Not all declare it: each is tried, whatever its probability.
    """
    needed = set(leaf.targets_as_params) - {"image", "keypoints"}
    if needed:
        return str(min(needed))
    trial = copy.deepcopy(leaf)
    trial.p = 1.0
    try:
        _compose(trial)(image=np.zeros((64, 64, 3), np.uint8), keypoints=np.full((1, 2), 9.0))
    except KeyError as error:
        return str(error.args[0]) if error.args else ""
    except Exception as error:
        # anything else may be the fault of the image, such as of its size
        return "mask" if "find mask" in str(error) else ""
    return ""


def _compose(transform: Any) -> A.Compose:
    """Return a copy that keeps every point, and resizes as images are resized."""
    transform = copy.deepcopy(transform)
    for leaf in _leaves(transform):
        names = {cls.__name__ for cls in type(leaf).__mro__}
        if hasattr(leaf, "border_mode"):
            leaf.apply_with_params = functools.partial(_once, leaf, leaf.apply_with_params)
        for family, correct in ((_RESIZES, _resized), (_CUTS_AND_RESIZES, _by_outline)):
            if names & family:
                leaf.apply_with_params = functools.partial(correct, leaf.apply_with_params)
    steps, p = [transform], 1.0
    if type(transform) is A.Compose:
        steps, p = transform.transforms, transform.p
    with warnings.catch_warnings():
        # "Got processor for keypoints, but no transform to process it": pixels alone, then
        warnings.simplefilter("ignore")
        params = A.KeypointParams(format="xy", remove_invisible=False)
        return A.Compose(steps, keypoint_params=params, p=p)


def _once(leaf: Any, original: Any, params: Any, *args: Any, **data: Any) -> dict[str, Any]:
    """Move each keypoint to one place; a border that reflects would add all its mirror images."""
    keypoints = data.pop("keypoints")
    result = original(params, *args, **data)
    mode, leaf.border_mode = leaf.border_mode, cv2.BORDER_CONSTANT
    try:
        return {**result, **original(params, *args, keypoints=keypoints)}
    finally:
        leaf.border_mode = mode


def _resized(original: Any, params: Any, *args: Any, **data: Any) -> dict[str, Any]:
    result = original(params, *args, **data)
    before, after = data["image"].shape, result["image"].shape
    scale = np.array([after[1] / before[1], after[0] / before[0]], np.float32)
    keypoints = np.array(data["keypoints"], np.float32)
    keypoints[:, :2] = (keypoints[:, :2] + 0.5) * scale - 0.5
    return {**result, "keypoints": keypoints}


def _by_outline(original: Any, params: Any, *args: Any, **data: Any) -> dict[str, Any]:
    keypoints = np.array(data["keypoints"], np.float32)
    keypoints[:, :2] += 0.5
    result = original(params, *args, **{**data, "keypoints": keypoints})
    moved = np.array(result["keypoints"], np.float32)
    moved[:, :2] -= 0.5
    return {**result, "keypoints": moved}
