"""Whatever a user may hand over as ``transform=``, made a `Pipeline`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlcreg.contracts import Transform
from dlcreg.data.transforms.pipeline import Pipeline
from dlcreg.data.transforms.seeding import seeded_globals
from dlcreg.errors import DataError
from dlcreg.registry import TRANSFORMS
from dlcreg.structures import DatasetInfo, Sample


def as_pipeline(transform: Any, info: DatasetInfo) -> Pipeline:
    """Return the pipeline that `transform` means.

    Args:
        transform: None, a `Transform`, a dict that names one, a transform of albumentations or
            of torchvision v2, a callable that takes a `Sample` and returns one, or a list of
            these.
        info: of the data set, wired into what is built of dicts.

    Raises:
        DataError: it is none of these, or it does not move keypoints with the image.
        ConfigError: a dict that cannot be built.
    """
    twins = info.unique.flip_pairs if info.unique else ()
    if isinstance(transform, Pipeline):
        return Pipeline(transform.transforms, twins)
    if transform is None:
        return Pipeline()
    many = isinstance(transform, (list, tuple))
    steps = transform if many else [transform]
    names = [f"transform.{i}" for i in range(len(steps))] if many else ["transform"]
    return Pipeline([_step(s, info, name) for s, name in zip(steps, names, strict=True)], twins)


def _step(step: Any, info: DatasetInfo, name: str) -> Transform:
    if isinstance(step, Mapping):
        from dlcreg.wiring import construct

        return construct(TRANSFORMS, dict(step), info.wiring(), name)
    if isinstance(step, Transform):
        if getattr(step, "flip_pairs", ()) is None:  # made without a data set to ask
            step = copy.copy(step)
            step.flip_pairs = info.flip_pairs
        return step
    if isinstance(step, type):
        raise DataError(f"{name} is the class {step.__name__}; make an object of it")
    if _comes_from(step, "albumentations"):
        from dlcreg.data.transforms.albumentations import Albumentations

        return Albumentations(step, info.flip_pairs, info.num_keypoints)
    if _comes_from(step, "torchvision.transforms.v2"):
        from dlcreg.data.transforms.torchvision import Torchvision

        return Torchvision(step, info.flip_pairs, info.num_keypoints)
    if _comes_from(step, "torchvision.transforms"):
        raise DataError(
            f"{name}: torchvision.transforms.{type(step).__name__} does not move keypoints; "
            "use torchvision.transforms.v2"
        )
    if callable(step):
        return FunctionTransform(step)
    raise DataError(
        f"{name} must be a transform, a dict that names one, a transform of albumentations or "
        f"torchvision.transforms.v2, or a callable on a Sample; not {type(step).__name__}"
    )


def _comes_from(step: Any, package: str) -> bool:
    return any(f"{cls.__module__}.".startswith(f"{package}.") for cls in type(step).__mro__)


class FunctionTransform(Transform):
    """A user's function on a `Sample`, with the global generators seeded for the call."""

    def __init__(self, function: Callable[[Sample], Sample]) -> None:
        self.function = function

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return what the function returns.

        Raises:
            DataError: that is no sample.
        """
        with seeded_globals(rng):
            result = self.function(sample)
        if not isinstance(result, Sample):
            name = getattr(self.function, "__name__", type(self.function).__name__)
            raise DataError(
                f"transform {name} returned {type(result).__name__}; it must return the Sample"
            )
        return result
