"""Conditions as maps: where a keypoint is drawn, how brightly, and as the originals draw it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg.models.conditions.colored import ColoredKeypoints
from dlcreg.models.conditions.colors import rainbow
from dlcreg.models.conditions.grey import GreyKeypoints
from dlcreg.models.conditions.stacked import StackedKeypoints

BUCTD = dict(peak=255.0, placement="buctd", blur="cv2")
DEEPLABCUT = dict(peak=255.0, placement="deeplabcut", blur="cv2", scale="image")
NAN = float("nan")


def one(x: float, y: float, score: float = 1.0) -> torch.Tensor:
    return torch.tensor([[[x, y, score]]])


def blurred(image: np.ndarray) -> np.ndarray:
    """Return an image as the originals blur it and make it bright."""
    image = cv2.GaussianBlur(image, (15, 15), 0)
    return image * (255 / max(image.max(), 1e-9))


@pytest.mark.parametrize(("x", "y"), [(20.0, 10.0), (0.0, 0.0), (47.0, 30.0)])
def test_a_blob_is_a_gaussian_around_the_keypoint(x, y):
    drawn = StackedKeypoints(1, sigma=2.0)(one(x, y), (31, 48))[0, 0]
    rows, columns = torch.meshgrid(torch.arange(31.0), torch.arange(48.0), indexing="ij")
    expected = torch.exp(((rows - y) ** 2 + (columns - x) ** 2) / -8)
    assert torch.allclose(drawn, expected, atol=1e-6)


def test_a_blob_may_lie_between_pixels():
    drawn = StackedKeypoints(1)(one(20.5, 10.0), (31, 48))[0, 0]
    assert drawn[10, 20] == drawn[10, 21] == drawn.max()


@pytest.mark.parametrize(
    "keypoint",
    [(20, 10, 0), (20, 10, -1), (20, 10, NAN), (NAN, 10, 1), (-1, 10, 1), (48, 10, 1), (9, 31, 1)],
)
@pytest.mark.parametrize("options", [{}, BUCTD, DEEPLABCUT])
def test_what_is_not_there_leaves_nothing(keypoint, options):
    if "placement" in options and keypoint[:2] in ((48, 10), (9, 31)):
        pytest.skip("the originals draw one pixel up and left: at the border it is inside")
    assert not StackedKeypoints(1, **options)(one(*keypoint), (31, 48)).any()


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 60),
    height=st.integers(16, 50),
    width=st.integers(16, 50),
)
def test_buctd_s_maps_are_those_of_opencv(seed, count, height, width):
    generator = np.random.default_rng(seed)
    x, y = generator.uniform(-5, [[width + 5], [height + 5]], (2, count))
    condition = torch.from_numpy(np.stack([x, y, np.ones(count)], axis=-1))[None]
    stacked = np.zeros((count, height, width))
    colored, grey = np.zeros((height, width, 3)), np.zeros((height, width))
    colors = (rainbow(count, "buctd") * 255).round().numpy()
    for k, (column, row) in enumerate(zip(x.astype(int), y.astype(int))):
        if 0 < column < width and 0 < row < height:
            stacked[k, row - 1, column - 1] = 255
            colored[row - 1, column - 1] = colors[k]
            grey[row - 1, column - 1] = 255
    size = (height, width)
    found = StackedKeypoints(count, **BUCTD)(condition, size)[0]
    assert np.abs(found.numpy() - np.stack([blurred(s) for s in stacked])).max() < 1e-3
    found = ColoredKeypoints(count, scale="image", colors="buctd", **BUCTD)(condition, size)[0]
    assert np.abs(found.numpy() - blurred(colored).transpose(2, 0, 1)).max() < 1e-3
    found = GreyKeypoints(count, scale="image", **BUCTD)(condition, size)[0, 0]
    assert np.abs(found.numpy() - blurred(grey)).max() < 1e-3


def test_deeplabcut_s_maps_are_as_bright_as_the_brightest_of_all_and_come_out_at_the_other_side():
    keypoints = [(0.4, 20.0, 2.0), (30.7, 12.2, 2.0), (9.0, 9.0, 0.0), (63.5, 30.0, 2.0)]
    image = np.zeros((40, 64, 4))
    image[19, 63, 0] = image[11, 29, 1] = image[29, 62, 3] = 255
    found = StackedKeypoints(4, **DEEPLABCUT)(torch.tensor([keypoints]), (40, 64))[0]
    assert np.abs(found.numpy() - blurred(image).transpose(2, 0, 1)).max() < 1e-3
    # the border throws the last one's blob back onto itself
    assert found[1].max() < 150 < 254.9 < found[3].max()


def test_grey_maps_may_be_whole_numbers_in_several_channels():
    drawn = GreyKeypoints(1, channels=3, whole=True, scale="image", **BUCTD)(one(20, 9), (31, 48))
    assert drawn.shape == (1, 3, 31, 48)
    assert torch.equal(drawn, drawn.round())
    assert drawn.max() in (254, 255)


@pytest.mark.parametrize("count", [1, 2, 17, 50, 256, 300])
def test_keypoints_have_colours_of_their_own_over_the_whole_rainbow(count):
    colors = rainbow(count)
    assert len(colors.unique(dim=0)) == count
    assert colors.min() >= 0
    assert colors.max() <= 1
    if count > 1:
        assert torch.allclose(colors[-1], torch.tensor([1.0, 0.0, 0.0]), atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 12, 14, 17, 50, 256])
def test_the_originals_colours_are_those_of_matplotlib(count):
    from matplotlib import colormaps

    def shades(index):
        return [[int(value * 255) for value in colormaps["rainbow"](int(i))[:3]] for i in index]

    buctd, deeplabcut = ((rainbow(count, name) * 255).round() for name in ("buctd", "deeplabcut"))
    assert buctd.tolist() == shades(range(0, 256, 256 // count))[:count]
    assert deeplabcut.tolist() == shades(np.linspace(0, 256, count, dtype=int))


def test_a_keypoint_has_its_colour_whatever_else_there_is():
    encoder = ColoredKeypoints(2)
    both = torch.tensor([[[10.0, 20.0, 1.0], [30.0, 5.0, 1.0]]])
    assert torch.allclose(encoder(both, (31, 48))[0, :, 20, 10], encoder.colors[0], atol=1e-4)
    assert torch.allclose(encoder(both, (31, 48))[0, :, 5, 30], encoder.colors[1], atol=1e-4)


def test_a_mirrored_map_has_the_channels_of_twins_swapped_unless_it_is_as_buctd_has_it():
    drawn = torch.rand(1, 3, 4, 5)
    index = torch.tensor([0, 2, 1])
    assert torch.equal(StackedKeypoints(3).mirror(drawn, index), drawn.flip(-1)[:, [0, 2, 1]])
    as_it_is = StackedKeypoints(3, swap_channels=False)
    assert torch.equal(as_it_is.mirror(drawn, index), drawn.flip(-1))
    assert torch.equal(ColoredKeypoints(3).mirror(drawn, index), drawn.flip(-1))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 4, 3), "has 4 keypoints, but StackedKeypoints draws 3"),
        ((1, 3, 2), r"must be keypoints \(B, K, 3\)"),
        ((1, 2, 31, 48), r"drawn map of shape \(1, 2, 31, 48\); .* 31 x 48 it has 3 channels"),
        ((1, 3, 48, 31), "for images of 31 x 48"),
    ],
)
def test_a_condition_that_does_not_fit_is_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        StackedKeypoints(3)(torch.ones(shape), (31, 48))


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (StackedKeypoints, dict(sigma=0), "sigma must be above 0"),
        (StackedKeypoints, dict(placement="left"), "placement must be 'exact'"),
        (StackedKeypoints, dict(blur="box"), "blur must be 'gaussian'"),
        (StackedKeypoints, dict(blur="cv2"), "blur='cv2' spreads a pixel"),
        (StackedKeypoints, dict(BUCTD, sigma=0.4), "needs a sigma above 0.5"),
        (StackedKeypoints, dict(scale="all"), "scale must be 'keypoint'"),
        (StackedKeypoints, dict(num_keypoints=0), "num_keypoints must be at least 1"),
        (ColoredKeypoints, dict(scale="all"), "scale must be 'keypoint'"),
        (ColoredKeypoints, dict(num_keypoints=0), "num_keypoints must be at least 1"),
        (ColoredKeypoints, dict(colors="jet"), "colors must be 'even'"),
        (ColoredKeypoints, dict(colors="buctd", num_keypoints=257), "has 256 colours, not 257"),
        (GreyKeypoints, dict(channels=0), "channels must be at least 1"),
    ],
)
def test_wrong_options_are_refused(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**{"num_keypoints": 3, **options})
