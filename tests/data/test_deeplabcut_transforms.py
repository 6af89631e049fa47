"""DeepLabCut's own geometry: whole pixels, and coordinates from the corner of the first pixel."""

from __future__ import annotations

import numpy as np
import pytest

from dlcreg.data.samples import unlabelled
from dlcreg.data.transforms.deeplabcut import DeepLabCutCrop, DeepLabCutResize
from dlcreg.data.transforms.warp import apply
from dlcreg.structures import Meta

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(1, 255, (60, 80, 3), np.uint8)


def sample(box=None, image=IMAGE):
    return unlabelled(image, Meta(0, "", image.shape[:2]), 2, box)


def test_a_box_of_the_crop_s_size_is_cut_out_as_it_is():
    crop = DeepLabCutCrop((20, 30))(sample([10.4, 5.2, 30, 20]), RNG)
    assert np.array_equal(crop.image, IMAGE[5:25, 10:40])
    assert np.array_equal(crop.matrix, [[1, 0, 10], [0, 1, 5]])


def test_a_box_is_widened_to_the_aspect_and_black_is_beside_the_image():
    crop = DeepLabCutCrop((40, 40))(sample([-5, 10, 40, 20]), RNG)
    assert np.array_equal(crop.matrix, [[1, 0, -5], [0, 1, 0]])
    assert not crop.image[:, :5].any()
    assert np.array_equal(crop.image[:, 5:], IMAGE[:40, :35])


def test_without_context_the_rest_is_black():
    crop = DeepLabCutCrop((40, 40), context=False)(sample([20, 10, 40, 20]), RNG)
    assert np.array_equal(crop.matrix, [[1, 0, 20], [0, 1, 0]])
    assert not crop.image[:10].any()
    assert not crop.image[30:].any()
    assert np.array_equal(crop.image[10:30], IMAGE[10:30, 20:60])


def test_a_margin_lies_on_all_sides():
    crop = DeepLabCutCrop((40, 50), margin=10)(sample([10, 10, 30, 20]), RNG)
    assert np.array_equal(crop.image, IMAGE[0:40, 0:50])


def test_pixels_are_counted_from_their_corner():
    """Two pixels become one: in DeepLabCut pixel 4 then is pixel 2, not 1.75."""
    crop = DeepLabCutCrop((20, 20))(sample([0, 0, 40, 40]), RNG)
    assert np.allclose(apply(crop.matrix, np.array([[2.0, 2.0]])), [[4, 4]])


@pytest.mark.parametrize("box", [[200, 10, 5, 5], [10, 10, 0, 0], [-50, -50, 10, 10]])
@pytest.mark.parametrize("context", [True, False])
def test_a_box_without_pixels_gives_a_crop_all_the_same(box, context):
    assert DeepLabCutCrop((16, 24), context=context)(sample(box), RNG).image.shape == (16, 24, 3)


def test_sides_are_cut_off_to_whole_pixels_and_the_rest_is_black():
    resized = DeepLabCutResize((50, 50))(sample(), RNG)
    assert resized.image.shape == (50, 50, 3)
    assert resized.image[36].any()
    assert not resized.image[37:].any()  # 60 * 50 / 80 is 37.5
    assert np.allclose(resized.matrix, [[80 / 50, 0, 0], [0, 60 / 37, 0]])


def test_the_longer_side_is_rounded():
    resized = DeepLabCutResize(longest=30)(sample(image=IMAGE[:45]), RNG)
    assert resized.image.shape == (17, 30, 3)  # 16.875


def test_a_size_can_be_forced():
    resized = DeepLabCutResize((30, 20), keep_ratio=False)(sample(), RNG)
    assert resized.image.shape == (30, 20, 3)
    assert np.allclose(resized.matrix, [[4, 0, 0], [0, 2, 0]])


@pytest.mark.parametrize("options", [{}, dict(size=(3, 3), longest=4), dict(longest=0)])
def test_sizes_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=r"give exactly one|at least 1 pixel"):
        DeepLabCutResize(**options)
