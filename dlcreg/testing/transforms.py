"""The checks of transforms: image, keypoints, boxes and matrix go together."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from dlcreg.contracts import Size
from dlcreg.structures import Instances, Sample
from dlcreg.testing.blobs import SIGMA, START, blob_sample, spot_near
from dlcreg.testing.results import fail, skip
from dlcreg.testing.subject import INFO, Subject

_TRIES = 6
_USUALLY, _ONCE = 0.15, 0.6
"""Pixels of the new image between a keypoint and its spot; nearest neighbours make it more."""


def _tries(
    subject: Subject, size: Size = (120, 160), animals: int = 2
) -> Iterator[tuple[Sample, Sample]]:
    """Yield samples before and after the transform, for some random generators."""
    transform = subject.build()
    for seed in range(_TRIES):
        before = blob_sample(size, animals)
        yield before, transform(copy.deepcopy(before), np.random.default_rng(seed))


def _move(after: Sample) -> np.ndarray:
    """Return the 3x3 matrix from the old image to the new one, as `Sample.matrix` has it."""
    last = [[0.0, 0.0, 1.0]]
    old, new = np.vstack([START, last]), np.vstack([after.matrix, last])
    return np.linalg.inv(new) @ old


def _applied(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def keeps_structure(subject: Subject) -> str:
    """It returns a sample as samples are: shapes, dtypes, animals and origin."""
    for before, after in _tries(subject):
        if not isinstance(after, Sample):
            fail(f"returns {type(after).__name__}", "a Sample", "Use dataclasses.replace(sample)")
        image = after.image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in (np.uint8, np.float32):
            fail(
                f"makes an image of {image.dtype} {image.shape}",
                "uint8 (H, W, 3), or float32 where it normalises",
                "Convert back: image.round().clip(0, 255).astype(np.uint8)",
            )
        if image.dtype == np.float32 and np.abs(image).max() > 20:
            fail(
                f"makes a float32 image with values up to {np.abs(image).max():g}",
                "uint8, or normalised values: a model takes floats as normalised already",
                "Convert back: image.round().clip(0, 255).astype(np.uint8)",
            )
        _keeps_labels(before.instances, after.instances)
        if after.matrix.shape != (2, 3) or after.matrix.dtype != np.float64:
            fail(
                f"makes a matrix of {after.matrix.dtype} {after.matrix.shape}",
                "float64 (2, 3)",
                "Compose it with the sample's",
            )
        if after.meta != before.meta:
            fail("changes meta", "that it still says where the sample is from", "Leave it")
    return f"{image.dtype} {image.shape}"


def _keeps_labels(before: Instances, after: Instances) -> None:
    for name, value in vars(before).items():
        now = getattr(after, name)
        if isinstance(value, Instances) and isinstance(now, Instances):
            _keeps_labels(value, now)
        elif isinstance(value, Instances):
            fail("drops the unique body parts", "that they are kept", "Use dataclasses.replace")
        elif value is not None and (now.dtype != value.dtype or now.shape != value.shape):
            fail(
                f"turns {name} of {value.dtype} {value.shape} into {now.dtype} {now.shape}",
                "the same dtype and as many animals; what has left the image is dropped later",
                "Keep float32 (astype), and every row",
            )
    if not np.array_equal(before.ids, after.ids):
        fail(
            f"turns the ids {before.ids} of the animals into {after.ids}",
            "that each row stays the animal that it is",
            "Leave Instances.ids, and the order of the rows",
        )


def keypoints_move_along(subject: Subject) -> str:
    """Each keypoint still lies on what it marked in the image."""
    apart = []
    for _, after in _tries(subject):
        sigma = SIGMA * np.sqrt(abs(np.linalg.det(_move(after)[:2, :2])))
        for point in after.instances.keypoints[after.instances.visibility > 0]:
            seen = spot_near(after.image, point, sigma)
            if seen is not None:
                apart.append(np.nan_to_num(np.linalg.norm(seen - point), nan=np.inf))
    if not apart:
        skip("no keypoint is left well inside the image")
    worst, usual = max(apart), float(np.median(apart))
    if worst > _ONCE or usual > _USUALLY:
        far = "is not there" if np.isinf(worst) else f"lies up to {worst:.2f} px away"
        fail(
            f"puts keypoints where what they mark {far} ({usual:.2g} px is usual)",
            f"at most {_ONCE} px, and {_USUALLY} px as a rule",
            "Move image and keypoints by one matrix (derive from "
            "dlcreg.data.transforms.GeometricTransform); pixel centres are whole numbers",
        )
    return f"{len(apart)} keypoints, at most {worst:.2g} px off"


def matrix_maps_back(subject: Subject) -> str:
    """`Sample.matrix` maps keypoints back to where they are in the original image."""
    worst = 0.0
    for before, after in _tries(subject):
        old = _applied(START, before.instances.keypoints.astype(np.float64))
        new = _applied(after.matrix, after.instances.keypoints.astype(np.float64))
        known = before.instances.visibility > 0
        twins = _twins()
        apart = np.linalg.norm(new - old, axis=-1)
        swapped = np.linalg.norm(new - old[:, twins], axis=-1)
        apart = min((apart[known].max(), swapped[known[:, twins]].max()))
        if not apart <= 0.02:
            fail(
                f"leaves a matrix that maps keypoints {apart:.3g} px beside where they were",
                "at most 0.02 px: predictions are brought back by it",
                "Compose it: matrix @ inverse of the move; derive from GeometricTransform",
            )
        worst = max(worst, float(apart))
    return f"at most {worst:.2g} px off"


def unique_keypoints_move_along(subject: Subject) -> str:
    """Unique body parts are moved by the same matrix; their twins stay in place."""
    worst = 0.0
    for before, after in _tries(subject):
        old, new = before.instances.unique, after.instances.unique
        if old is None or new is None:
            skip("it drops them, see 'keeps_structure'")
        moved = _applied(_move(after), old.keypoints.astype(np.float64))
        apart = np.linalg.norm(moved - new.keypoints, axis=-1)[old.visibility > 0].max()
        if not apart <= 0.05:
            fail(
                f"leaves unique body parts {apart:.3g} px beside where the matrix moves them",
                "at most 0.05 px, in their order: left and right among them is seen to later",
                "Move Instances.unique as the animals; derive from GeometricTransform",
            )
        worst = max(worst, float(apart))
    return f"at most {worst:.2g} px off"


def twins_change_places(subject: Subject) -> str:
    """In a mirror image left and right keypoints change places."""
    mirrored = 0
    for before, after in _tries(subject):
        back = _applied(after.matrix, after.instances.keypoints.astype(np.float64))
        old = _applied(START, before.instances.keypoints.astype(np.float64))
        is_mirror = np.linalg.det(_move(after)[:2, :2]) < 0
        mirrored += is_mirror
        expected = old[:, _twins()] if is_mirror else old
        known = after.instances.visibility > 0
        if np.linalg.norm(back - expected, axis=-1)[known].max() > 0.02:
            if min(np.abs(back - o)[known].max() for o in (old, old[:, _twins()])) > 0.02:
                skip("the keypoints are elsewhere altogether, see 'matrix_maps_back'")
            fail(
                "does not exchange left and right keypoints in a mirror image"
                if is_mirror
                else "exchanges left and right keypoints without mirroring the image",
                "a left ear at the index of left ears",
                "Take flip_pairs as a parameter, which is wired, and swap where the matrix has a "
                "negative determinant",
            )
    if not mirrored:
        skip("it mirrors nothing")
    return f"exchanged in {mirrored} mirror images"


def _twins() -> np.ndarray:
    index = np.arange(INFO.num_keypoints)
    for left, right in INFO.flip_pairs:
        index[[left, right]] = right, left
    return index


def boxes_move_along(subject: Subject) -> str:
    """Boxes and areas are moved by the same matrix."""
    unit = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    for before, after in _tries(subject):
        move = _move(after)
        old, new = before.instances.boxes[:, None], after.instances.boxes
        corners = _applied(move, old[..., :2] + old[..., 2:] * unit)
        low, high = corners.min(axis=1), corners.max(axis=1)
        apart = np.abs(np.concatenate([low, high - low], axis=1) - new).max()
        scale = abs(np.linalg.det(move[:2, :2]))
        areas = np.abs(after.instances.areas / (before.instances.areas * scale) - 1).max()
        if not apart <= 0.1:
            fail(
                f"leaves boxes {apart:.3g} px beside the moved ones",
                "the box around the moved corners",
                "Move the corners by the matrix; derive from GeometricTransform",
            )
        if not areas <= 0.01:
            fail("leaves other areas", "areas times the determinant of the move", "Scale them")
    return "boxes and areas go along"


def companions_move_along(subject: Subject) -> str:
    """The condition, and the other animals of a crop's image, are moved as the animals are."""
    transform = subject.build()
    for seed in range(_TRIES):
        before = blob_sample()
        seen = before.instances.visibility[0] > 0
        pose = np.column_stack([before.instances.keypoints[0], seen]).astype(np.float32)
        before.condition, before.neighbours = pose, copy.deepcopy(before.instances)
        after = transform(before, np.random.default_rng(seed))
        if after.condition is None or after.neighbours is None:
            fail(
                "drops the condition or the neighbours of a sample",
                "that a sample keeps them",
                "Use dataclasses.replace(sample)",
            )
        labels = after.instances
        known = labels.visibility > 0
        pairs = {"neighbours": (after.neighbours.keypoints, labels.keypoints, known)}
        pairs["condition"] = after.condition[:, :2], labels.keypoints[0], known[0]
        for name, (value, wanted, at) in pairs.items():
            apart = np.abs(value - wanted)[at].max()
            if not apart <= 0.05:
                fail(
                    f"leaves the {name} {apart:.3g} px beside the animals' keypoints, where they "
                    "lay upon these before",
                    "at most 0.05 px: left and right change places as those of the animals do",
                    "Move Sample.condition and Sample.neighbours; derive from GeometricTransform",
                )
    return "condition and neighbours go along"


def unlabelled_stay(subject: Subject) -> str:
    """What has no label gets none, and its coordinates stay 0; what has one keeps it."""
    for before, after in _tries(subject):
        labels = after.instances
        old = before.instances.visibility
        if not any(np.array_equal(labels.visibility, o) for o in (old, old[:, _twins()])):
            fail(
                "changes the visibility of keypoints",
                "that it stays; keypoints outside the image are dropped later",
                "Leave visibility as it is",
            )
        if labels.keypoints[labels.visibility == 0].any():
            fail(
                "moves keypoints that have no label",
                "coordinates 0 where visibility is 0",
                "keypoints[visibility == 0] = 0 after the move",
            )
    return "visibility is kept, coordinates without a label are 0"


def own_randomness(subject: Subject) -> str:
    """All randomness is drawn from `rng`; the global generators are neither used nor moved."""
    transform = subject.build()
    results: list[Sample] = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[index, union-attr]
        results.append(transform(blob_sample(), np.random.default_rng(5)))
        after = random.getstate(), np.random.get_state()[1], torch.get_rng_state()  # type: ignore[index]
        names = ("random", "numpy.random", "torch")
        for name, one, other in zip(names, before, after):
            if not np.array_equal(np.asarray(one, object), np.asarray(other, object)):
                fail(
                    f"draws from the global generator of {name}",
                    "that (seed, epoch, index) alone decide, whatever the number of workers",
                    "Draw from the rng that it is given",
                )
    if _differ(*results):
        fail(
            f"makes another {_differ(*results)} from the same rng",
            "the same sample from the same rng",
            "Draw from the rng that it is given, and keep nothing of a call in an attribute",
        )
    return "the same sample from the same rng"


def input_unchanged(subject: Subject) -> str:
    """The sample that it is given is not changed in place."""
    transform = subject.build()
    for seed in range(_TRIES):
        sample = blob_sample()
        transform(sample, np.random.default_rng(seed))
        changed = _differ(sample, blob_sample())
        if changed:
            fail(
                f"changes the {changed} of its input",
                "that the input is left as it is: frames are cached",
                "Copy before writing, and use dataclasses.replace",
            )
    return "left as it is"


def any_image(subject: Subject) -> str:
    """Small images, odd sizes and images without an animal are taken, too."""
    for size, animals in (((61, 87), 1), ((33, 160), 1), ((120, 160), 0)):
        for before, after in _tries(subject, size, animals):
            if len(after.instances) != len(before.instances) or not after.image.size:
                fail(
                    f"makes {after.image.shape} with {len(after.instances)} animals of an image "
                    f"of {size} with {animals}",
                    "an image with as many animals",
                    "Compute sizes from image.shape, and allow N = 0",
                )
    return "61 x 87, 33 x 160, and an image without an animal"


def _differ(first: Sample, second: Sample) -> str:
    """Return the name of what differs in two samples, or nothing."""
    pairs: dict[str, tuple[Any, Any]] = {
        "image": (first.image, second.image),
        "matrix": (first.matrix, second.matrix),
    }
    groups = [(first.instances, second.instances)]
    if first.instances.unique is not None and second.instances.unique is not None:
        groups.append((first.instances.unique, second.instances.unique))
    if first.condition is not None and second.condition is not None:
        pairs["condition"] = first.condition, second.condition
    for number, (one, two) in enumerate(groups):
        for name, value in vars(one).items():
            if name != "unique":
                pairs[f"unique {name}" if number else name] = value, getattr(two, name)
    return next((name for name, (a, b) in pairs.items() if not np.array_equal(a, b)), "")


CHECKS = (
    keeps_structure,
    keypoints_move_along,
    matrix_maps_back,
    unique_keypoints_move_along,
    twins_change_places,
    boxes_move_along,
    companions_move_along,
    unlabelled_stay,
    own_randomness,
    input_unchanged,
    any_image,
)
