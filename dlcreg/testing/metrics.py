"""The checks of metrics: what they promise, and what must make no difference to them."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dlcreg.contracts import Metric
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses
from dlcreg.testing.results import fail
from dlcreg.testing.subject import INFO, Subject

_SIZE = (96, 128)
_NUMBER = (int, float, np.number)
Image = tuple[Poses, Instances, Meta]


def _images(noise: float = 0.0, seed: int = 0) -> list[Image]:
    """Return four images of one animal with one keypoint missing in each, and predictions.

    Args:
        noise: standard deviation of the predictions along x and y, pixels; from 30 on animals are
            taken for one another, too.
        seed: of the noise; the labels are always the same.
    """
    drawn = np.random.default_rng(7)
    rng = np.random.default_rng(seed)
    names = len(INFO.individuals)
    images = []
    for i in range(4):
        score = 0.99 - 0.05 * i
        instances, poses = _pair(INFO, i, drawn, rng, noise, score)
        instances.ids = np.array([i % names], np.int64)
        who = (i + (noise >= 30)) % names
        poses.identities = torch.tensor([[who]])
        poses.identity_scores = torch.eye(names)[who].expand(1, 1, INFO.num_keypoints, names)
        if INFO.unique is not None:
            instances.unique, poses.unique = _pair(INFO.unique, i, drawn, rng, noise, score)
        images.append((poses, instances, Meta(i, f"{i}.png", _SIZE)))
    return images


def _pair(
    info: DatasetInfo,
    number: int,
    drawn: np.random.Generator,
    rng: np.random.Generator,
    noise: float,
    score: float,
) -> tuple[Instances, Poses]:
    """Return the labels of one animal, one keypoint of which has none, and a prediction."""
    count = info.num_keypoints
    keypoints = drawn.uniform(20, 76, (1, count, 2)).astype(np.float32)
    visibility = np.full((1, count), 2, np.uint8)
    visibility[0, number % count] = 0
    keypoints[visibility == 0] = 0
    seen = keypoints[visibility > 0]
    low, high = seen.min(axis=0) - 5, seen.max(axis=0) + 5
    instances = Instances(
        keypoints=keypoints,
        visibility=visibility,
        boxes=np.concatenate([low, high - low])[None],
        areas=np.prod(high - low)[None],
        valid=np.ones(1, bool),
        ids=np.full(1, -1, np.int64),
    )
    moves = rng.normal(0, 1, keypoints.shape).astype(np.float32) * noise
    poses = _poses(torch.from_numpy(keypoints + moves)[None], score)
    shift = np.append(moves[:, 0], np.zeros((1, 2), np.float32), axis=1)
    poses.boxes = torch.from_numpy(instances.boxes + shift)[None]
    return instances, poses


def _poses(keypoints: torch.Tensor, score: float) -> Poses:
    """Return poses of one score; that of each image is another, so that they have an order."""
    b, n, k = keypoints.shape[:3]
    valid = torch.ones(b, n, dtype=torch.bool)
    return Poses(keypoints, torch.full((b, n, k), score), torch.full((b, n), score), valid)


def _values(metric: Metric, images: Sequence[Image]) -> dict[str, Any]:
    metric.reset(INFO)
    for image in images:
        metric.update(*copy.deepcopy(image))
    return metric.compute()


def _scalars(metric: Metric, images: Sequence[Image]) -> dict[str, float]:
    values = _values(metric, images)
    return {key: float(values[key]) for key in metric.keys if isinstance(values.get(key), _NUMBER)}


def _changed(first: dict[str, float], second: dict[str, float]) -> str:
    """Return the first key whose value differs, or nothing."""
    for key, value in first.items():
        other = second.get(key, math.inf)
        if not (math.isclose(value, other, abs_tol=1e-6) or (value != value and other != other)):
            return f"{key} {value:.4g} becomes {other:.4g}"
    return ""


def declared_keys(subject: Subject) -> str:
    """`keys` are known before the first image, and are the numbers that `compute` gives."""
    metric = subject.build()
    keys = metric.keys
    values = _values(metric, _images(2.0))
    numbers = {key for key, value in values.items() if isinstance(value, _NUMBER)}
    if not keys or set(keys) != numbers:
        fail(
            f"declares {sorted(keys)}, but computes {sorted(numbers)}",
            "the same: a `save_best` that names none of them fails at the start of a run, not "
            "at its end",
            "Return each scalar under one of `keys`, and tables as nested dicts",
        )
    return ", ".join(f"{key}={values[key]:.4g}" for key in keys)


def right_direction(subject: Subject) -> str:
    """Perfect predictions are not worse than any, and much better than bad ones."""
    metric = subject.build()
    sign = 1 if metric.higher_is_better else -1
    perfect = _scalars(metric, _images())
    for noise in (0.5, 3.0, 40.0):
        other = _scalars(metric, _images(noise))
        worse = {key: sign * (value - other[key]) for key, value in perfect.items()}
        told = noise < 30 or any(by > 0 for by in worse.values())  # a count may stay as it is
        for key, value in perfect.items():
            if not (worse[key] >= -1e-9 and told):
                fail(
                    f"gives {key}={value:.4g} for perfect predictions and {other[key]:.4g} for "
                    f"ones that are {noise:g} px off",
                    f"that better is {'higher' if sign > 0 else 'lower'}, as higher_is_better="
                    f"{metric.higher_is_better} says",
                    "Set higher_is_better, or compute from labelled keypoints alone",
                )
    return ", ".join(f"perfect {key}={value:.4g}" for key, value in perfect.items())


def reset_forgets(subject: Subject) -> str:
    """After `reset` nothing of the images before is left."""
    metric = subject.build()
    first = _scalars(metric, _images(2.0))
    _scalars(metric, _images(30.0, seed=1))
    changed = _changed(first, _scalars(metric, _images(2.0)))
    if changed:
        fail(
            f"remembers the images before reset: {changed}",
            "the same values for the same images",
            "Make every list and sum anew in reset",
        )
    return "the same after other images and a reset"


def ignores_unlabelled(subject: Subject) -> str:
    """What lies or is predicted at a keypoint without a label makes no difference."""
    metric = subject.build()
    plain = _scalars(metric, _images(2.0))
    for junk in (1e4, math.nan):
        images = []
        for poses, instances, meta in _images(2.0):
            unknown = instances.visibility == 0
            keypoints = np.where(unknown[..., None], np.float32(junk), instances.keypoints)
            images.append((poses, replace(instances, keypoints=keypoints), meta))
        changed = _changed(plain, _scalars(metric, images))
        if not changed:
            for poses, instances, _ in images:
                poses.keypoints[0][torch.from_numpy(instances.visibility == 0)] = 60.0
            changed = _changed(plain, _scalars(metric, images))
        if changed:
            fail(
                f"changes where keypoints without a label lie at {junk:g}: {changed}",
                "no difference: nobody knows where they are",
                "Leave out keypoints whose visibility is 0",
            )
    return "keypoints without a label make no difference"


def ignores_padding(subject: Subject) -> str:
    """Predictions and labels that only pad (`valid` False) make no difference."""
    metric = subject.build()
    images = []
    for poses, labels, meta in _images(2.0):
        known = {name: value for name, value in vars(poses).items() if value is not None}
        known.pop("unique", None)
        both: dict[str, Any] = {
            name: torch.cat([value, value], dim=1) for name, value in known.items()
        }
        poses = replace(poses, **both)
        poses.keypoints[:, 1], poses.valid[:, 1] = 3.0, False
        padded: dict[str, Any] = {
            name: np.concatenate([value, np.full_like(value, name == "visibility")])
            for name, value in vars(labels).items()
            if name not in ("unique", "crowds")  # not of single animals
        }
        padded["valid"] = np.array([True, False])
        images.append((poses, replace(labels, **padded), meta))
    changed = _changed(_scalars(metric, _images(2.0)), _scalars(metric, images))
    if changed:
        fail(
            f"counts rows that only pad: {changed}",
            "no difference",
            "Leave out rows of poses and of labels whose `valid` is False",
        )
    return "padding makes no difference"


def nothing_found(subject: Subject) -> str:
    """It gives numbers, or NaN, where no animal or no keypoint was found, or none is labelled."""
    metric = subject.build()
    found = _images(2.0)
    without = [(replace(p, valid=torch.zeros_like(p.valid)), i, m) for p, i, m in found]
    lost = [
        (replace(p, keypoints=torch.full_like(p.keypoints, math.nan)), i, m) for p, i, m in found
    ]
    empty = [(p, replace(i, visibility=np.zeros_like(i.visibility)), m) for p, i, m in found]
    cases = {"no animal": without, "no keypoint": lost, "no label": empty, "no image": []}
    for what, images in cases.items():
        try:
            values = _values(metric, images)
        except Exception as error:
            fail(
                f"raises {type(error).__name__}: {error}, where there is {what}",
                "a number, or NaN where it means nothing",
                "Return math.nan for the mean of nothing",
            )
        missing = [key for key in metric.keys if key not in values]
        if missing:
            fail(
                f"gives no {missing[0]} where there is {what}",
                "all of its keys",
                "Return math.nan for what cannot be computed",
            )
    return "no animal, no keypoint, no label and no image are borne"


def order_independent(subject: Subject) -> str:
    """The order of the images makes no difference."""
    metric = subject.build()
    images = _images(2.0)
    changed = _changed(_scalars(metric, images), _scalars(metric, images[::-1]))
    if changed:
        fail(
            f"depends on the order of the images: {changed}",
            "the same in any order",
            "Sum over all images before dividing",
        )
    return "the same in another order"


def input_unchanged(subject: Subject) -> str:
    """Poses and labels are not changed in place."""
    metric = subject.build()
    metric.reset(INFO)
    for poses, instances, meta in _images(2.0):
        kept = copy.deepcopy((poses, instances))
        metric.update(poses, instances, meta)
        metric.compute()
        for before, after in zip(kept, (poses, instances)):
            for name, value in vars(before).items():
                if not _equal(value, getattr(after, name)):
                    fail(
                        f"changes {type(before).__name__.lower()}.{name} in place",
                        "that it is left as it is: all metrics read the same",
                        "Copy before writing",
                    )
    return "left as they are"


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, (Poses, Instances)):
        return all(_equal(value, getattr(second, name)) for name, value in vars(first).items())
    return first is None or np.array_equal(first, second)


CHECKS = (
    declared_keys,
    right_direction,
    reset_forgets,
    ignores_unlabelled,
    ignores_padding,
    nothing_found,
    order_independent,
    input_unchanged,
)
