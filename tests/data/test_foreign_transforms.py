"""Transforms of albumentations and torchvision: exact for keypoints, seeded per sample."""

from __future__ import annotations

import pickle

import albumentations as A
import cv2
import numpy as np
import pytest
import torch
from torchvision import transforms as v1
from torchvision.transforms import v2

from dlcreg.data.dataset import PoseDataset
from dlcreg.data.transforms.adapt import as_pipeline
from dlcreg.errors import ConfigError, DataError
from dlcreg.structures import DatasetInfo, Instances, Meta, Sample

SIZE = (200, 240)
POINTS = np.stack(np.meshgrid(np.arange(60, 190, 13), np.arange(50, 160, 11)), -1)
POINTS = (POINTS.reshape(-1, 2) + 0.3).astype(np.float32)
INFO = DatasetInfo(tuple(f"k{i}" for i in range(len(POINTS))), flip_pairs=((0, 1), (2, 5)))
BILINEAR = v2.InterpolationMode.BILINEAR


def sample_of(image: np.ndarray) -> Sample:
    count = len(POINTS)
    instances = Instances(
        keypoints=POINTS[None].copy(),
        visibility=np.full((1, count), 2, np.uint8),
        boxes=np.array([[60, 50, 120, 100]], np.float32),
        areas=np.full(1, 12000, np.float32),
        valid=np.ones(1, bool),
        ids=np.zeros(1, np.int64),
    )
    return Sample(image, instances, np.eye(2, 3), Meta(0, "made", SIZE))


def coordinate_image() -> np.ndarray:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    return np.stack([x / SIZE[1], y / SIZE[0], np.ones_like(x)], axis=-1)


def grey() -> np.ndarray:
    return np.full((*SIZE, 3), 120, np.uint8)


MOVES = {
    "A Resize": A.Resize(100, 160),
    "A RandomResizedCrop": A.RandomResizedCrop((130, 170)),
    "A RandomSizedCrop": A.RandomSizedCrop((100, 150), (130, 170)),
    "A RandomScale": A.RandomScale(0.5, p=1),
    "A LongestMaxSize": A.LongestMaxSize(300),
    "A SmallestMaxSize": A.SmallestMaxSize(140),
    "A CropAndPad": A.CropAndPad(px=-15),
    "A Affine": A.Affine(rotate=20, shear=4, scale=(0.8, 1.2), p=1),
    "A Affine, reflecting": A.Affine(translate_percent=(0.1, 0.2), border_mode=4, p=1),
    "A Rotate, reflecting": A.Rotate(40, border_mode=2, p=1),
    "A Pad, reflecting": A.Pad((90, 10), border_mode=4, p=1),
    "A PadIfNeeded, reflecting": A.PadIfNeeded(500, 700, border_mode=2, p=1),
    "A CropAndPad, reflecting": A.CropAndPad(px=(5, 40), border_mode=4, p=1),
    "A RandomCrop, reflecting": A.RandomCrop(230, 260, pad_if_needed=True, border_mode=4, p=1),
    "A HorizontalFlip": A.HorizontalFlip(p=1),
    "A D4": A.D4(),
    "A Perspective": A.Perspective(p=1),
    "A nested": A.Compose(
        [A.OneOf([A.Resize(100, 130), A.RandomCrop(120, 140)]), A.SafeRotate(20, p=1)],
        keypoint_params=A.KeypointParams(format="xy"),
    ),
    "v2 Resize": v2.Resize((100, 160)),
    "v2 RandomResizedCrop": v2.RandomResizedCrop((130, 170)),
    "v2 RandomAffine": v2.RandomAffine(30, (0.1, 0.1), (0.8, 1.2), 10, interpolation=BILINEAR),
    "v2 RandomRotation": v2.RandomRotation(30, interpolation=BILINEAR),
    "v2 RandomPerspective": v2.RandomPerspective(0.3, 1),
    "v2 RandomHorizontalFlip": v2.RandomHorizontalFlip(1),
    "v2 Pad": v2.Pad(13),
    "v2 nested": v2.Compose(
        [v2.RandomApply([v2.RandomVerticalFlip(1)]), v2.Resize((150, 170)), v2.RandomCrop(140)]
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_keypoints_lie_on_what_they_marked_and_the_matrix_leads_back(name):
    pipeline = as_pipeline(MOVES[name], DatasetInfo(INFO.keypoint_names))
    for seed in range(4):
        result = pipeline(sample_of(coordinate_image()), np.random.default_rng(seed))
        moved = result.instances.keypoints[0]
        height, width = result.image.shape[:2]
        x, y = np.ascontiguousarray(moved.T)
        seen = cv2.remap(np.ascontiguousarray(result.image), x[None], y[None], 1)[0]
        safe = (moved > 3).all(1) & (moved < [width - 4, height - 4]).all(1) & (seen[:, 2] > 0.99)
        assert safe.sum() > 5
        assert np.abs(seen[:, :2] * SIZE[::-1] - POINTS)[safe].max() < 0.1
        if "Perspective" not in name:
            back = moved @ result.matrix[:, :2].T + result.matrix[:, 2]
            np.testing.assert_allclose(back, POINTS, atol=0.01)


FLIPS = [
    A.HorizontalFlip(p=1),
    A.VerticalFlip(p=1),
    A.Transpose(p=1),
    v2.RandomHorizontalFlip(1),
    v2.RandomVerticalFlip(1),
]


@pytest.mark.parametrize("flip", FLIPS)
def test_a_mirror_image_swaps_left_and_right(flip):
    swapped = as_pipeline(flip, INFO)(sample_of(grey()), np.random.default_rng(0))
    plain = as_pipeline(flip, DatasetInfo(INFO.keypoint_names))(
        sample_of(grey()), np.random.default_rng(0)
    )
    order = [1, 0, 5, 3, 4, 2, *range(6, len(POINTS))]
    np.testing.assert_array_equal(
        swapped.instances.keypoints[0], plain.instances.keypoints[0][order]
    )


def test_two_mirror_images_swap_nothing():
    twice = [A.HorizontalFlip(p=1), A.VerticalFlip(p=1)]
    result = as_pipeline(A.Compose(twice), INFO)(sample_of(grey()), np.random.default_rng(0))
    np.testing.assert_allclose(
        result.instances.keypoints[0], [SIZE[1] - 1, SIZE[0] - 1] - POINTS, atol=1e-4
    )


def test_draws_of_two_transforms_are_independent():
    # albumentations' own seed would give both flips the same coin
    flips = A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
    pipeline = as_pipeline(flips, DatasetInfo(INFO.keypoint_names))
    outcomes = set()
    for seed in range(40):
        result = pipeline(sample_of(grey()), np.random.default_rng(seed))
        outcomes.add(tuple(np.sign(np.diag(result.matrix[:, :2])).tolist()))
    assert outcomes == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


@pytest.mark.parametrize(
    "transform",
    [
        A.Compose([A.GaussNoise(p=1), A.Affine(rotate=30, p=1), A.MotionBlur(p=0.5)]),
        v2.Compose([v2.ColorJitter(0.5, 0.5), v2.RandomAffine(30)]),
    ],
)
def test_the_same_stream_gives_the_same_sample_and_no_global_generator_moves(transform):
    pipeline = as_pipeline(transform, INFO)
    state = torch.get_rng_state(), np.random.get_state()[1].tolist()
    first, again, other = (
        pipeline(sample_of(grey()), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.instances.keypoints, again.instances.keypoints)
    assert not np.array_equal(first.image, other.image)
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.random.get_state()[1].tolist() == state[1]


def test_points_outside_the_image_are_kept_whatever_keypoint_params_say():
    crop = A.Compose(
        [A.Crop(100, 100, 150, 150)],
        keypoint_params=A.KeypointParams(format="xy", remove_invisible=True),
    )
    result = as_pipeline(crop, INFO)(sample_of(grey()), np.random.default_rng(0))
    np.testing.assert_allclose(result.instances.keypoints[0], POINTS - 100, atol=1e-4)


def test_normalised_images_and_tensors_are_taken(demo):
    from albumentations.pytorch import ToTensorV2

    dataset = PoseDataset(demo, A.Compose([A.Normalize(), ToTensorV2()]))
    assert dataset[0].image.dtype == np.float32
    assert dataset[0].image.shape == (96, 128, 3)
    plain = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.2] * 3)])
    assert PoseDataset(demo, plain)[0].image.dtype == np.float32


def test_the_call_of_the_readme_works(openfield):
    transform = A.Compose(
        [A.RandomBrightnessContrast(p=0.5), A.HorizontalFlip(p=0.5), A.Rotate(30)],
        keypoint_params=A.KeypointParams(format="xy"),
    )
    dataset = PoseDataset(openfield, transform=transform, mode="train")
    samples = [dataset[i] for i in range(20)]
    assert all(sample.image.shape == (480, 640, 3) for sample in samples)


def test_adapters_survive_the_way_to_a_spawned_worker():
    for transform in (A.Compose([A.Resize(50, 60)]), v2.Compose([v2.Resize((50, 60))])):
        pipeline = as_pipeline(transform, INFO)
        pipeline(sample_of(grey()), np.random.default_rng(0))
        copied = pickle.loads(pickle.dumps(pipeline))
        assert copied(sample_of(grey()), np.random.default_rng(0)).image.shape == (50, 60, 3)


def test_the_users_object_is_left_as_it_was():
    resize = A.Resize(50, 60)
    as_pipeline(resize, INFO)(sample_of(grey()), np.random.default_rng(0))
    out = A.Compose([resize], keypoint_params=A.KeypointParams(format="xy"))(
        image=grey(), keypoints=[(60, 50)]
    )
    np.testing.assert_allclose(out["keypoints"], [(15, 12.5)])


# -- configs -----------------------------------------------------------------------------------


def test_transforms_are_built_of_dicts():
    config = [
        {"type": "Resize", "scale": 0.5},
        {"type": "Flip", "p": 1.0},
        {
            "type": "Albumentations",
            "transform": [
                {"type": "OneOf", "transforms": [{"type": "Blur"}, {"type": "GaussNoise"}]},
                {"type": "CLAHE", "p": 1.0},
            ],
        },
        {"type": "Torchvision", "transform": {"type": "ColorJitter", "brightness": 0.3}},
    ]
    result = as_pipeline(config, INFO)(sample_of(grey()), np.random.default_rng(0))
    assert result.image.shape == (100, 120, 3)
    flipped = (SIZE[1] - 1 - POINTS[1, 0] + 0.5) / 2 - 0.5
    np.testing.assert_allclose(result.instances.keypoints[0, 0, 0], flipped, atol=1e-3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"type": "ElasticTransform"},
            "albumentations ElasticTransform does not move keypoints with the image",
        ),
        ({"type": "OneOf", "transforms": [{"type": "GridDistortion"}]}, "GridDistortion does not"),
        ({"type": "GausNoise"}, "albumentations has no transform 'GausNoise'. Did you mean 'G"),
        ({"type": "Affine", "scal": 2}, "'scal' are not valid for transform Affine"),
        ({"type": "Blur", "blur_limit": "x"}, "albumentations Blur: "),
        ({"p": 1}, "no type: write the name of a transform of albumentations, type='...'."),
        (
            {"type": "CropNonEmptyMaskIfExists", "height": 32, "width": 32, "p": 0.2},
            "albumentations CropNonEmptyMaskIfExists needs 'mask', and dlcreg gives it image and "
            "keypoints alone; leave it out",
        ),
        (
            {"type": "RandomSizedBBoxSafeCrop", "height": 32, "width": 32, "p": 0.2},
            "RandomSizedBBoxSafeCrop needs 'bboxes', and",
        ),
        ({"type": "MaskDropout", "p": 0.2}, "MaskDropout needs 'mask', and"),
    ],
)
def test_mistakes_with_albumentations_are_told(config, message):
    with pytest.raises(ConfigError) as caught:
        as_pipeline([{"type": "Albumentations", "transform": config}], INFO)
    assert message in str(caught.value)
    assert caught.value.problems[0].path.startswith("transform.0")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "ElasticTransform"}, "torchvision ElasticTransform does not move keypoints"),
        ({"type": "ColorJiter"}, "has no transform 'ColorJiter'. Did you mean 'ColorJitter'?"),
        ({"type": "ColorJitter", "bright": 1}, "unexpected keyword argument 'bright'"),
        ({"type": "RandomRotation", "degrees": 9, "expand": True}, "up to half a pixel"),
        (
            {"type": "ClampKeyPoints"},
            "torchvision ClampKeyPoints changes keypoints, and not the image; leave it out: "
            "keypoints outside the image are dropped at the end",
        ),
    ],
)
def test_mistakes_with_torchvision_are_told(config, message):
    with pytest.raises(ConfigError) as caught:
        as_pipeline([{"type": "Torchvision", "transform": config}], INFO)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ([A.Compose([]), 7], "transform.1 must be a transform, a dict that names one"),
        (A.ElasticTransform(), "ElasticTransform does not move keypoints with the image"),
        (A.Compose([A.OneOf([A.ThinPlateSpline()])]), "ThinPlateSpline does not move keypoints"),
        (v1.Compose([v1.ToTensor()]), "does not move keypoints; use torchvision.transforms.v2"),
        ("Flip", "transform must be a transform, a dict that names one"),
        (A.Blur, "transform is the class Blur; make an object of it"),
    ],
)
def test_what_cannot_be_a_transform_is_refused(transform, message):
    with pytest.raises(DataError) as caught:
        as_pipeline(transform, INFO)
    assert message in str(caught.value)


def test_keypoints_that_a_transform_adds_or_drops_are_counted():
    class Torn(A.NoOp):
        def apply_to_keypoints(self, keypoints, **params):
            return keypoints[1:]

    count = len(POINTS) + 4  # with the corners of the image
    with pytest.raises(DataError, match=f"gave {count - 1} points back for {count}; leave out"):
        as_pipeline(Torn(p=1), INFO)(sample_of(grey()), np.random.default_rng(0))


def test_a_function_on_samples_is_a_transform_with_a_stream_of_its_own(demo):
    def noise(sample):
        sample.image = sample.image + np.random.randint(0, 2, sample.image.shape).astype(np.uint8)
        return sample

    dataset = PoseDataset(demo, noise)
    np.testing.assert_array_equal(dataset[3].image, dataset[3].image)
    assert not np.array_equal(dataset[3].image, PoseDataset(demo)[3].image)


def test_a_function_that_fails_or_returns_something_else_is_told_with_the_image(demo):
    def broken(sample):
        return None

    with pytest.raises(DataError, match=r"img.*png: transform broken returned NoneType; it must"):
        PoseDataset(demo, broken)[0]
    with pytest.raises(DataError, match=r"img.*png: a transform failed: ZeroDivisionError"):
        PoseDataset(demo, lambda sample: 1 / 0)[0]
