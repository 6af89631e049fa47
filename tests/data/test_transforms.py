"""Geometric transforms: image, labels, boxes and matrix go the same way."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg.contracts import Transform
from dlcreg.data.keypoints import find_flip_pairs
from dlcreg.data.transforms import GeometricTransform, Pipeline, Warp
from dlcreg.data.transforms.geometric import Affine, Crop, CropInstance, Flip, Pad, Resize
from dlcreg.data.transforms.warp import apply, warp_image
from dlcreg.flipping import flip_index
from dlcreg.structures import Instances, Meta, Sample

SIZE = (120, 160)
PAIRS = ((1, 2),)


def coordinate_image(size=SIZE) -> np.ndarray:
    """A float image whose pixels hold their own coordinates: x / W, y / H, 1."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    return np.stack([x / size[1], y / size[0], np.ones_like(x)], axis=-1)


def sample_of(image: np.ndarray, points: np.ndarray) -> Sample:
    points = np.asarray(points, np.float32)[None]
    low, high = points[0].min(0), points[0].max(0)
    instances = Instances(
        keypoints=points,
        visibility=np.full(points.shape[:2], 2, np.uint8),
        boxes=np.concatenate([low, high - low])[None],
        areas=np.prod(high - low, keepdims=True).astype(np.float32),
        valid=np.ones(1, bool),
        ids=np.zeros(1, np.int64),
    )
    return Sample(image, instances, np.eye(2, 3), Meta(0, "made", image.shape[:2]))


def read_at(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    x, y = np.ascontiguousarray(points.T.astype(np.float32))
    return cv2.remap(image, x[None], y[None], cv2.INTER_LINEAR)[0]


POINTS = np.stack(np.meshgrid(np.arange(30, 131, 10), np.arange(20, 101, 8)), -1).reshape(-1, 2)
POINTS = POINTS + 0.3

PIPELINES = {
    "affine": [Affine(rotation=40, scale=(0.6, 1.6), translate=0.1, shear=10)],
    "resize": [Resize(size=(100, 150))],
    "enlarge": [Resize(size=(300, 500))],
    "shrink by a non-integer": [Resize(scale=0.3)],
    "shrink by 2": [Resize(scale=0.5)],
    "letterbox": [Resize(size=(100, 300), keep_ratio=True)],
    "longest": [Resize(longest=200)],
    "crop": [Crop((80, 70))],
    "crop at a keypoint": [Crop((80, 70), position="keypoint")],
    "crop larger than the image": [Crop((200, 210))],
    "pad": [Pad(divisor=64, position="center")],
    "instance": [CropInstance((96, 64))],
    "flip": [Flip(1.0, flip_pairs=())],
    "vertical flip": [Flip(1.0, direction="vertical", flip_pairs=())],
    "all": [
        Resize(scale=0.9),
        Affine(rotation=180, scale=(0.5, 1.2)),
        Flip(0.5, flip_pairs=()),
        Crop((90, 80)),
        Pad(size=(100, 100)),
    ],
    "two borders": [Affine(rotation=20, border="reflect"), Pad(size=(200, 200)), Affine(10)],
}


@pytest.mark.parametrize("name", PIPELINES)
def test_keypoints_lie_on_what_they_marked_and_the_matrix_leads_back(name):
    pipeline = Pipeline(PIPELINES[name])
    for seed in range(5):
        result = pipeline(sample_of(coordinate_image(), POINTS), np.random.default_rng(seed))
        moved = result.instances.keypoints[0]
        back = moved @ result.matrix[:, :2].T + result.matrix[:, 2]
        np.testing.assert_allclose(back, POINTS, atol=0.01)
        height, width = result.image.shape[:2]
        seen = read_at(result.image, moved)
        safe = (moved > 2).all(1) & (moved < [width - 3, height - 3]).all(1) & (seen[:, 2] > 0.999)
        assert safe.sum() > 5
        error = np.abs(seen[:, :2] * SIZE[::-1] - POINTS)[safe]
        assert np.median(error) < 0.01
        assert error.max() < 0.06


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    steps=st.lists(st.sampled_from(sorted(PIPELINES)), min_size=1, max_size=4),
)
def test_any_chain_leads_back_to_the_original_pixel(seed, steps):
    pipeline = Pipeline([t for name in steps for t in PIPELINES[name]])
    image = np.zeros((*SIZE, 3), np.uint8)
    result = pipeline(sample_of(image, POINTS), np.random.default_rng(seed))
    moved = result.instances.keypoints[0].astype(np.float64)
    back = moved @ result.matrix[:, :2].T + result.matrix[:, 2]
    np.testing.assert_allclose(back, POINTS, atol=0.01)


def test_consecutive_transforms_sample_the_image_once():
    image = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    there_and_back = Pipeline([_Turn(0.7), _Turn(-0.7)])
    result = there_and_back(sample_of(image, POINTS), np.random.default_rng(0))
    np.testing.assert_array_equal(result.image, image)


def test_what_a_crop_cut_away_is_still_there_for_a_rotation():
    image = np.full((*SIZE, 3), 200, np.uint8)
    result = Pipeline([Crop((60, 60), position="center"), _Turn(np.pi / 4)])(
        sample_of(image, POINTS), np.random.default_rng(0)
    )
    assert result.image.min() == 200


class _Turn(GeometricTransform):
    def __init__(self, angle):
        self.angle = angle

    def warp(self, size, instances, rng):
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        linear = np.array([[cos, -sin], [sin, cos]])
        centre = (np.array(size[::-1]) - 1) / 2
        return Warp(np.column_stack([linear, centre - linear @ centre]), size, "constant")


def test_halving_gives_the_mean_of_each_block():
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    result = Resize(scale=0.5)(sample_of(image, POINTS), np.random.default_rng(0))
    blocks = image.reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(result.image - blocks).max() <= 0.5


def test_shrinking_does_not_alias():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    for scale in (0.5, 0.45, 0.25, 0.1):
        result = Resize(scale=scale)(sample_of(stripes, POINTS), np.random.default_rng(0))
        assert result.image.std() < 12, scale


@pytest.mark.parametrize(("border", "outside"), [("constant", 7), ("replicate", 200)])
def test_the_border_is_what_was_asked_for(border, outside):
    image = np.full((20, 30, 3), 200, np.uint8)
    result = Pad(size=(40, 40), border=border, fill=7)(sample_of(image, POINTS), None)
    assert (result.image[30:, 35:] == outside).all()
    assert (result.image[:20, :30] == 200).all()


def test_a_reflected_border_mirrors_the_image():
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    result = Pad(size=(30, 40), border="reflect")(sample_of(image, POINTS), None)
    np.testing.assert_array_equal(result.image[20:29, :30], image[-2:-11:-1])


def test_a_region_of_a_large_image_gives_what_the_whole_gives():
    image = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    matrix = np.array([[0.4, 0.1, -60.0], [-0.1, 0.4, -20.0]])
    whole = cv2.warpAffine(
        cv2.resize(image, (200, 150), interpolation=cv2.INTER_AREA),
        np.column_stack([matrix[:, :2] * 2, matrix[:, 2] + matrix[:, :2].sum(1) * 0.5]),
        (50, 40),
        flags=cv2.INTER_LINEAR,
    )
    part = warp_image(image, Warp(matrix, (40, 50), "constant"))
    assert np.abs(part[2:-2, 2:-2].astype(int) - whole[2:-2, 2:-2]).mean() < 30
    np.testing.assert_allclose(part.mean(), whole.mean(), atol=2)


def test_flipping_swaps_left_and_right_and_mirrors_pixels():
    image = coordinate_image()
    sample = sample_of(image, [[10, 20], [30, 40], [50, 60]])
    result = Flip(1.0, flip_pairs=PAIRS)(sample, np.random.default_rng(0))
    assert result.instances.keypoints[0].tolist() == [[149, 20], [109, 60], [129, 40]]
    np.testing.assert_array_equal(result.image, image[:, ::-1])


def test_a_mirror_image_without_twins_is_refused_unless_there_are_none():
    sample = sample_of(coordinate_image(), [[10, 20], [30, 40]])
    with pytest.raises(ValueError, match="nothing says which keypoints these are: give flip_pairs"):
        Flip(1.0)(sample, np.random.default_rng(0))


def test_unlabelled_keypoints_stay_at_zero():
    sample = sample_of(coordinate_image(), [[10, 20], [0, 0]])
    sample.instances.visibility[0, 1] = 0
    for transforms in PIPELINES.values():
        result = Pipeline(transforms)(sample, np.random.default_rng(1))
        assert result.instances.keypoints[0, 1].tolist() == [0, 0]


def test_the_input_sample_is_not_changed():
    image = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    kept = image.copy()
    sample = sample_of(image, POINTS)
    Pipeline(PIPELINES["all"])(sample, np.random.default_rng(0))
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_array_equal(sample.instances.keypoints[0], POINTS.astype(np.float32))


def test_the_instance_crop_is_hrnets():
    sample = sample_of(np.zeros((*SIZE, 3), np.uint8), [[40, 30], [80, 110]])
    result = CropInstance((256, 192))(sample, np.random.default_rng(0))
    # box 40 x 80, centre (60, 70); its width grows to 80 * 192 / 256 = 60, then by 1.25 to 75
    scale = 192 / 75
    expected = (np.array([[40, 30], [80, 110]]) - [60, 70]) * scale + [96, 128]
    np.testing.assert_allclose(result.instances.keypoints[0], expected, rtol=1e-5)
    assert result.image.shape == (256, 192, 3)


def test_areas_and_boxes_follow():
    sample = sample_of(np.zeros((*SIZE, 3), np.uint8), [[10, 20], [50, 40]])
    result = Resize(scale=2.0)(sample, np.random.default_rng(0))
    np.testing.assert_allclose(result.instances.areas, sample.instances.areas * 4)
    np.testing.assert_allclose(result.instances.boxes, [[20.5, 40.5, 80, 40]])


def test_pixel_transforms_get_an_image_they_may_write_on():
    class Ink(Transform):
        def __call__(self, sample, rng):
            sample.image[:] = 9
            return sample

    frame = np.zeros((*SIZE, 3), np.uint8)
    frame.flags.writeable = False
    assert Pipeline([Ink()])(sample_of(frame, POINTS), None).image.min() == 9
    assert frame.max() == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resize(), "give exactly one of size, scale and longest"),
        (lambda: Resize(size=(1, 2), scale=2.0), "give exactly one of size, scale and longest"),
        (lambda: Resize(scale=-1.0), "scale must be positive"),
        (lambda: Pad(), "give exactly one of size and divisor"),
        (lambda: Pad(divisor=0), "divisor must be at least 1"),
        (lambda: Affine(scale=(1.2, 0.8)), "scale runs backwards"),
        (lambda: Affine(scale=0.0), "scale must be positive"),
        (lambda: Affine(p=2.0), "p must lie between 0 and 1"),
        (lambda: Crop((0, 5)), "size must be height and width"),
        (lambda: CropInstance((4, 4), padding=0), "padding must be positive"),
        (lambda: Flip(flip_pairs=((0, 9),), num_keypoints=3), "names a keypoint that does not"),
        (lambda: Flip(flip_pairs=((0, 1), (1, 2)), num_keypoints=3), "has one twin at most"),
    ],
)
def test_impossible_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["snout", "leftear", "rightear", "tailbase"], [("leftear", "rightear")]),
        (["left_eye", "right_eye", "nose"], [("left_eye", "right_eye")]),
        (["earLeft", "earRight"], [("earLeft", "earRight")]),
        (["EAR_LEFT", "EAR_RIGHT"], [("EAR_LEFT", "EAR_RIGHT")]),
        (
            ["wingL", "wingR", "forelegR4", "forelegL4"],
            [("wingL", "wingR"), ("forelegL4", "forelegR4")],
        ),
        (["L_paw", "R_paw", "LHip", "RHip"], [("L_paw", "R_paw"), ("LHip", "RHip")]),
        (["paw.l", "paw.r"], [("paw.l", "paw.r")]),
        (["left_top_left", "right_top_right"], [("left_top_left", "right_top_right")]),
        (["FL", "FR", "HL", "HR"], [("FL", "FR"), ("HL", "HR")]),
        (["fr_paw", "fl_paw"], [("fl_paw", "fr_paw")]),
        (["Lear", "Rear"], [("Lear", "Rear")]),
        (
            ["lefteye", "right_eye", "leftEar", "RightEar"],
            [("lefteye", "right_eye"), ("leftEar", "RightEar")],
        ),
        (["wingLtip", "wingRtip"], [("wingLtip", "wingRtip")]),
        (["left_eye", "right_eye", "LeftEye"], [("left_eye", "right_eye")]),
        (["lefteye", "right_eye", "Right.Eye"], []),
        (["leftover", "snout", "lear", "rear", "Ball", "Barr"], []),
    ],
)
def test_twins_are_found_by_name(names, pairs):
    found = {frozenset(names[i] for i in pair) for pair in find_flip_pairs(names)}
    assert found == {frozenset(pair) for pair in pairs}


@given(st.permutations(range(8)), st.integers(0, 4))
def test_the_flip_index_is_its_own_inverse(order, count):
    pairs = [(order[2 * i], order[2 * i + 1]) for i in range(count)]
    index = flip_index(pairs, 8)
    assert index[index].tolist() == list(range(8))


def test_points_keep_their_dtype():
    assert apply(np.eye(2, 3), np.zeros((2, 2), np.float32)).dtype == np.float32
