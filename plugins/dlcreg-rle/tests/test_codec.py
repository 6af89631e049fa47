"""Coordinates come back to the pixel, wherever they lie and whatever the size of the image."""

import torch
from dlcreg_rle.codec import RLECodec
from hypothesis import given, settings
from hypothesis import strategies as st

CODEC = RLECodec()
SIZES = st.tuples(st.integers(8, 1500), st.integers(8, 1500))
SHARES = st.lists(st.tuples(*[st.floats(-0.5, 1.5, width=32)] * 2), min_size=1, max_size=5)


def outputs(targets, logit=-3.0):
    share = targets["keypoints"][0]
    return {"keypoints": torch.cat([share, torch.full_like(share, logit)], dim=-1)}


def pixels(shares, size):
    return torch.tensor(shares)[None, None] * torch.tensor([size[1] - 1.0, size[0] - 1.0])


@settings(deadline=None, max_examples=50)
@given(SIZES, SHARES)
def test_what_is_encoded_is_decoded(label, size, shares):
    keypoints = pixels(shares, size)
    found = CODEC.decode(outputs(CODEC.encode(label(keypoints), size)), size)
    torch.testing.assert_close(found.keypoints, keypoints, rtol=0, atol=0.002)
    assert found.valid.all()


@settings(deadline=None, max_examples=50)
@given(SIZES, SHARES)
def test_mirrored_images_are_flipped_back(label, size, shares):
    keypoints = pixels(shares, size)
    twins = torch.arange(len(shares)).flip(0)
    mirrored = keypoints[:, :, twins].clone()
    mirrored[..., 0] = size[1] - 1 - mirrored[..., 0]
    back = CODEC.flip(outputs(CODEC.encode(label(mirrored), size)), twins)
    torch.testing.assert_close(CODEC.decode(back, size).keypoints, keypoints, rtol=0, atol=0.002)


def test_the_edges_of_the_image_lie_at_one_half_and_height_is_not_width(label):
    corners = [[[[-0.5, -0.5], [199.5, 99.5], [99.5, 49.5], [0.0, 99.0]]]]
    target, weight = CODEC.encode(label(corners), (100, 200))["keypoints"]
    expected = torch.tensor([[[-0.5, -0.5], [0.5, 0.5], [0.0, 0.0], [-0.4975, 0.495]]])
    torch.testing.assert_close(target, expected)
    assert weight.shape == (1, 4, 1)
    assert weight.all()


def test_the_likelihood_is_1_minus_the_mean_sigma():
    sigma = torch.tensor([[[0.2, 0.4], [0.01, 0.03]]])
    output = torch.cat([torch.zeros(1, 2, 2), sigma.logit()], dim=-1)
    poses = CODEC.decode({"keypoints": output}, (10, 20))
    torch.testing.assert_close(poses.scores, torch.tensor([[[0.7, 0.98]]]))
    torch.testing.assert_close(poses.instance_scores, torch.tensor([[0.84]]))


def test_of_several_rows_the_first_animal_with_a_label_counts(label):
    keypoints = torch.arange(24.0).view(1, 4, 3, 2)
    visibility = [[[2, 2, 2], [0, 0, 0], [0, 2, 2], [2, 2, 2]]]
    labels = label(keypoints, visibility, [[False, True, True, True]])
    target, weight = CODEC.encode(labels, (50, 50))["keypoints"]
    found = CODEC.decode(outputs({"keypoints": (target, weight)}), (50, 50)).keypoints
    torch.testing.assert_close(found[0, 0, 1:], keypoints[0, 2, 1:])
    assert weight[0, :, 0].tolist() == [0, 1, 1]


def test_an_image_without_an_animal_weighs_nothing(label):
    target, weight = CODEC.encode(label(torch.zeros(2, 0, 3, 2)), (50, 50))["keypoints"]
    assert target.shape == (2, 3, 2)
    assert not weight.any()
