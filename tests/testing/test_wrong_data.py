"""Wrong transforms and data sets: each is caught by the check that is meant for it."""

from __future__ import annotations

import copy
import random
from dataclasses import replace

import numpy as np
import pytest

from dlcreg import Dataset, DatasetInfo, Instances, Meta, Sample, Transform
from dlcreg.data.transforms.geometric import Affine, Flip, Resize
from dlcreg.testing import check_component


class Shift(Affine):
    """Moves the image by a sixth of its size."""

    def __init__(self) -> None:
        super().__init__(translate=(1 / 6, 1 / 6))


class MovesTheImageAlone(Shift):
    """Leaves the labels where they were."""

    def __call__(self, sample, rng):
        return replace(sample, image=super().__call__(sample, rng).image)


class MovesNoMatrix(Shift):
    """Leaves the matrix as it was."""

    def __call__(self, sample, rng):
        return replace(super().__call__(sample, rng), matrix=sample.matrix)


class MovesNoBoxes(Shift):
    """Leaves the boxes where they were."""

    def __call__(self, sample, rng):
        moved = super().__call__(sample, rng)
        return replace(moved, instances=replace(moved.instances, boxes=sample.instances.boxes))


class MovesUnlabelled(Shift):
    """Moves the coordinates of keypoints without a label, too."""

    def __call__(self, sample, rng):
        moved = super().__call__(sample, rng)
        keypoints = moved.instances.keypoints.copy()
        keypoints[moved.instances.visibility == 0] = 5
        return replace(moved, instances=replace(moved.instances, keypoints=keypoints))


class DropsTheCondition(Shift):
    """Makes a sample anew, of what it knows."""

    def __call__(self, sample, rng):
        return replace(super().__call__(sample, rng), condition=None)


class LeavesTheNeighbours(Shift):
    """Leaves the animals beside a crop where they were."""

    def __call__(self, sample, rng):
        return replace(super().__call__(sample, rng), neighbours=sample.neighbours)


class HalfPixel(Resize):
    """Scales keypoints as if the first pixel's centre were its corner."""

    def __init__(self) -> None:
        super().__init__(scale=0.5)

    def warp(self, size, instances, rng):
        warp = super().warp(size, instances, rng)
        return replace(warp, matrix=np.diag([0.5, 0.5, 1.0])[:2])

    def __call__(self, sample, rng):
        return replace(super().__call__(sample, rng), image=Resize(scale=0.5)(sample, rng).image)


class FlipsNoTwins(Flip):
    """Mirrors, and leaves the left ear to the left."""

    def __init__(self) -> None:
        super().__init__(flip_pairs=())


class GlobalNoise(Transform):
    """Draws from numpy's global generator."""

    def __call__(self, sample, rng):
        noise = np.random.randint(0, 5, sample.image.shape)
        return replace(sample, image=(sample.image // 2 + noise).astype(np.uint8))


class OtherNoise(Transform):
    """Draws from a generator of its own."""

    def __init__(self) -> None:
        self.rng = random.Random(0)

    def __call__(self, sample, rng):
        return replace(sample, image=sample.image // 2 + np.uint8(self.rng.randrange(99)))


class Floats(Transform):
    """Gives float64."""

    def __call__(self, sample, rng):
        return replace(sample, image=sample.image / 255)


class BrightFloats(Transform):
    """Gives float32 of 0 to 255, which a model would take as normalised."""

    def __call__(self, sample, rng):
        return replace(sample, image=sample.image.astype(np.float32))


class DarkensInPlace(Transform):
    """Writes into the cached frame."""

    def __call__(self, sample, rng):
        sample.image[:2] = 0
        return sample


class NeedsAnAnimal(Transform):
    """Looks at the first animal."""

    def __call__(self, sample, rng):
        x = int(sample.instances.boxes[0, 0])
        return replace(sample, image=np.roll(sample.image, 0 * x, axis=1))


INFO = DatasetInfo(("nose", "tail"), num_individuals=1)


class Dots(Dataset):
    """Four small images with an animal each."""

    def __init__(self) -> None:
        self.info = INFO
        self.pipeline = Same()
        self.epoch = 0
        rng = np.random.default_rng(0)
        self.points = rng.uniform(5, 25, (4, 1, 2, 2)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: int) -> Sample:
        labels = self.labels(index)
        meta = Meta(10 + index, f"{index}.png", (32, 32), None, index)
        sample = Sample(self.image(10 + index), labels, np.eye(2, 3), meta)
        return self.pipeline(sample, np.random.default_rng(self.entropy(index)))

    def entropy(self, index: int) -> list[int]:
        return [self.epoch, index]

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def labels(self, index: int) -> Instances:
        keypoints = self.points[index].copy()
        return Instances(
            keypoints=keypoints,
            visibility=np.full((1, 2), 2, np.uint8),
            boxes=np.array([[0, 0, 32, 32]], np.float32),
            areas=np.array([1024], np.float32),
            valid=np.ones(1, bool),
            ids=np.zeros(1, np.int64),
        )

    def annotations(self, image_id: int) -> Instances:
        return self.labels(image_id - 10)

    def image(self, image_id: int) -> np.ndarray:
        return np.zeros((32, 32, 3), np.uint8)


class Same(Transform):
    """Does nothing."""

    def __call__(self, sample, rng):
        return sample


class IgnoresEpoch(Dots):
    """Draws the same augmentation in every epoch."""

    def entropy(self, index: int) -> list[int]:
        return [0, index]


class IgnoresIndex(Dots):
    """Draws the same augmentation for every sample."""

    def entropy(self, index: int) -> list[int]:
        return [self.epoch]


class Unseeded(Dots):
    """Draws another augmentation each time."""

    def entropy(self, index: int) -> list[int]:
        return np.random.SeedSequence().entropy


class NamesTooMany(Dots):
    """Has fewer keypoints than names."""

    def __init__(self) -> None:
        super().__init__()
        self.points = self.points[:, :, :1]

    def labels(self, index: int) -> Instances:
        labels = super().labels(index)
        return replace(labels, visibility=labels.visibility[:, :1])


class PairsOfNobody(Dots):
    """Has a twin that is no keypoint."""

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(INFO, flip_pairs=((0, 2),))


class Endless(Dots):
    """Begins anew."""

    def __getitem__(self, index: int) -> Sample:
        return super().__getitem__(index % 4)


class HandsOutItsLabels(Dots):
    """Gives views of its own labels."""

    def labels(self, index: int) -> Instances:
        return replace(super().labels(index), keypoints=self.points[index])


class DoublePrecision(Dots):
    """Gives keypoints in float64."""

    def labels(self, index: int) -> Instances:
        labels = super().labels(index)
        return replace(labels, keypoints=labels.keypoints.astype(np.float64))


class OtherAnnotations(Dots):
    """Evaluates against other keypoints than it trains on."""

    def annotations(self, image_id: int) -> Instances:
        labels = super().annotations(image_id)
        return replace(labels, keypoints=labels.keypoints + np.float32(0.5))


class WidthFirst(Dots):
    """Has originals that are not of the size that its samples say."""

    def image(self, image_id: int) -> np.ndarray:
        return np.zeros((32, 40, 3), np.uint8)


class LosesLabels(Dots):
    """Leaves its labels behind when it is sent to a worker."""

    def __getstate__(self) -> dict:
        return {**self.__dict__, "points": np.zeros_like(self.points)}

    def __copy__(self):
        twin = LosesLabels()
        twin.__dict__.update(copy.copy(self.__dict__))
        return twin


def failed(kind: str, part: type, **options) -> set[str]:
    results = check_component(kind, part, **options)
    return {result.check for result in results if result.status == "failed"}


@pytest.mark.parametrize(("kind", "part"), [("transforms", Shift), ("datasets", Dots)])
def test_a_right_part_passes(kind, part):
    assert failed(kind, part) == set()


@pytest.mark.parametrize(
    ("part", "check"),
    [
        (MovesTheImageAlone, "keypoints_move_along"),
        (HalfPixel, "keypoints_move_along"),
        (MovesNoBoxes, "boxes_move_along"),
        (DropsTheCondition, "companions_move_along"),
        (LeavesTheNeighbours, "companions_move_along"),
        (MovesUnlabelled, "unlabelled_stay"),
        (FlipsNoTwins, "twins_change_places"),
        (GlobalNoise, "own_randomness"),
        (OtherNoise, "own_randomness"),
        (Floats, "keeps_structure"),
        (BrightFloats, "keeps_structure"),
        (DarkensInPlace, "input_unchanged"),
        (NeedsAnAnimal, "any_image"),
    ],
)
def test_a_wrong_transform_is_caught_by_the_check_meant_for_it(part, check):
    assert failed("transforms", part) == {check}


def test_a_transform_that_leaves_the_matrix_is_caught_by_all_that_is_measured_with_it():
    assert failed("transforms", MovesNoMatrix) == {
        "matrix_maps_back",
        "boxes_move_along",
        "unique_keypoints_move_along",
    }


@pytest.mark.parametrize(
    ("part", "check"),
    [
        (IgnoresEpoch, "follows_epoch"),
        (IgnoresIndex, "follows_epoch"),
        (Unseeded, "follows_epoch"),
        (PairsOfNobody, "info_fits"),
        (Endless, "ends"),
        (HandsOutItsLabels, "samples_apart"),
        (OtherAnnotations, "annotations_fit"),
        (WidthFirst, "annotations_fit"),
        (LosesLabels, "same_in_worker"),
    ],
)
def test_a_wrong_data_set_is_caught_by_the_check_meant_for_it(part, check):
    assert failed("datasets", part) == {check}


@pytest.mark.parametrize(
    ("part", "check"), [(NamesTooMany, "info_fits"), (DoublePrecision, "sample_structure")]
)
def test_labels_of_a_wrong_shape_or_dtype_are_seen_in_samples_and_annotations(part, check):
    assert failed("datasets", part) == {check, "sample_structure", "annotations_fit"}
