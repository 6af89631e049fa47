"""SimCC: rows of bins against those of the originals, and back to the keypoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg.models.codecs.simcc import SimCC
from dlcreg.solvers.losses.kl_discrete import KLDiscreteLoss

SIZES = {
    "256x192": ((256, 192), (4.9, 5.66)),
    "256x256": ((256, 256), (5.66, 5.66)),
    "384x288": ((384, 288), (6.0, 6.93)),
}
JOINTS = ("joints", "vis")
DEEPLABCUT = dict(sigma=5.66, labels="rounded", decoding="highest")


def rtmpose(name: str) -> SimCC:
    return SimCC(SIZES[name][1], labels="rounded", decoding="highest", score="raw")


def rows(file, prefix: str, suffix: str = "") -> dict[str, torch.Tensor]:
    return {axis: torch.tensor(file[f"{prefix}{axis}{suffix}"]) for axis in "xy"}


# -- against the originals ---------------------------------------------------------------------


@pytest.mark.codec_file("codec_simcc", "in/joints_*", "in/vis_*", "out/[xy]_*", "out/weights_*")
def test_targets_are_rtmpose_s(codec_file, label):
    for name, (size, _) in SIZES.items():
        joints, visibility = (codec_file[f"in/{key}_{name}"][None, None] for key in JOINTS)
        targets = rtmpose(name).encode(label(joints, visibility), size)
        for axis, (target, weight) in targets.items():
            codec_file.compare(f"out/{axis}_{name}", target, atol=1e-6)
            codec_file.compare(f"out/weights_{name}", weight[..., 0])


@pytest.mark.codec_file("codec_simcc", "in/logit_*", "out/keypoints_*", "out/scores_*")
def test_decoding_is_rtmpose_s(codec_file):
    for name, (size, _) in SIZES.items():
        poses = rtmpose(name).decode(rows(codec_file, "in/logit_", f"_{name}"), size)
        codec_file.compare(f"out/keypoints_{name}", poses.keypoints[:, 0])
        codec_file.compare(f"out/scores_{name}", poses.scores[:, 0])


@pytest.mark.codec_file("codec_simcc", "in/logit_[xy]_256x192", "out/kl_loss_256x192")
def test_the_loss_is_rtmpose_s(codec_file):
    logits, targets = (rows(codec_file, prefix, "_256x192") for prefix in ("in/logit_", "out/"))
    weight = torch.tensor(codec_file["out/weights_256x192"])[..., None]
    loss = KLDiscreteLoss(reduction="original")
    total = sum(loss(logits[axis], targets[axis], weight) for axis in "xy")
    codec_file.compare("out/kl_loss_256x192", total, rtol=1e-5)


@pytest.mark.codec_file("codec_dlc_simcc", "in/keypoints", "out/[xy]", "out/weights")
def test_targets_are_deeplabcut_s(codec_file, label):
    keypoints = codec_file["in/keypoints"]
    targets = SimCC(**DEEPLABCUT).encode(label(keypoints[..., :2], keypoints[..., 2]), (256, 256))
    for axis, (target, weight) in targets.items():
        codec_file.compare(f"out/{axis}", target[:, None], atol=1e-6)
        codec_file.compare("out/weights", weight[:, None, :, 0])


@pytest.mark.codec_file("codec_dlc_simcc", "in/logit_*", "out/kl_*")
def test_the_losses_are_deeplabcut_s(codec_file):
    logits, targets = rows(codec_file, "in/logit_"), rows(codec_file, "out/")
    weight = torch.tensor(codec_file["out/weights"])[:, 0, :, None].float()
    for axis in "xy":
        value = KLDiscreteLoss(reduction="original")(logits[axis], targets[axis][:, 0], weight)
        codec_file.compare(f"out/kl_{axis}", value, rtol=1e-5)


@pytest.mark.codec_file("codec_dlc_simcc", "in/logit_*", "out/poses_*")
def test_decoding_is_deeplabcut_s(codec_file):
    logits = rows(codec_file, "in/logit_")
    for score, name, factor in [
        ("softmax", "default", 1.0),
        ("raw", "nosoftmax", 5.66 * 150),  # DeepLabCut leaves its factor in the score
        ("clipped", "normalized", 1.0),
    ]:
        poses = SimCC(**DEEPLABCUT, score=score).decode(logits, (256, 256))
        theirs = torch.cat([poses.keypoints, factor * poses.scores[..., None]], dim=-1)
        likeness = dict(atol=[0, 0, 1e-6], rtol=[0, 0, 2e-5])
        codec_file.compare(f"out/poses_{name}", theirs, **likeness)


# -- and back ----------------------------------------------------------------------------------


@st.composite
def cases(draw):
    """An image's size, bins for each pixel, and five keypoints with and without a label."""
    size = draw(st.sampled_from([(256, 192), (97, 65), (64, 128), (384, 288)]))
    inside = [st.floats(0, length - 1, width=32) for length in size[::-1]]
    keypoints = [[draw(axis) for axis in inside] for _ in range(5)]
    visibility = draw(st.lists(st.sampled_from([0, 1, 2]), min_size=5, max_size=5))
    return size, draw(st.sampled_from([1, 2, 3])), keypoints, visibility


@given(case=cases())
@settings(max_examples=80, deadline=None)
def test_keypoints_anywhere_in_the_image_come_back(label, targets_as_outputs, case):
    size, split_ratio, keypoints, visibility = case
    codec = SimCC(split_ratio=split_ratio)
    labels = label([[keypoints]], [[visibility]])
    poses = codec.decode(targets_as_outputs(codec, labels, size), size)
    known = torch.tensor(visibility) > 0
    error = (poses.keypoints[0, 0] - torch.tensor(keypoints)).abs().amax(dim=-1)
    assert (error[known] < 0.1).all()
    assert (poses.scores[0, 0][known] > 0.9).all()
    assert (poses.scores[0, 0][~known] == 0).all()


@given(case=cases(), scale=st.floats(0.05, 30.0), offset=st.floats(-50.0, 50.0))
@settings(max_examples=40, deadline=None)
def test_a_constant_that_the_loss_knows_nothing_of_moves_no_keypoint(
    label, targets_as_outputs, case, scale, offset
):
    size, split_ratio, keypoints, _ = case
    codec = SimCC(split_ratio=split_ratio)
    outputs = targets_as_outputs(codec, label([[keypoints]]), size)
    outputs = {name: value.double() * scale + offset for name, value in outputs.items()}
    error = codec.decode(outputs, size).keypoints[0, 0] - torch.tensor(keypoints)
    assert error.abs().max() < 0.1


@pytest.mark.parametrize("split_ratio", [1, 2, 3])
def test_rows_of_the_mirrored_image_are_those_of_the_image(label, targets_as_outputs, split_ratio):
    codec, size = SimCC(split_ratio=split_ratio), (96, 128)
    keypoints = torch.rand(2, 1, 4, 2, generator=torch.Generator().manual_seed(3)) * 90
    twins = torch.tensor([1, 0, 2, 3])
    mirrored = keypoints[:, :, twins].clone()
    mirrored[..., 0] = size[1] - 1 - mirrored[..., 0]
    plain = targets_as_outputs(codec, label(keypoints), size)
    flipped = codec.flip(targets_as_outputs(codec, label(mirrored), size), twins)
    for axis in "xy":
        assert torch.allclose(flipped[axis], plain[axis], atol=1e-4)


def test_the_highest_bin_is_known_to_a_quarter_of_a_pixel(label, targets_as_outputs):
    codec, size = SimCC(labels="rounded", decoding="highest"), (64, 64)
    keypoints = torch.rand(8, 1, 4, 2, generator=torch.Generator().manual_seed(0)) * 63
    poses = codec.decode(targets_as_outputs(codec, label(keypoints), size), size)
    error = (poses.keypoints - keypoints).abs().max()
    assert 0.2 < error <= 0.25


def test_sigma_follows_from_the_size_of_the_image_as_in_rtmpose():
    for size, sigma in SIZES.values():
        assert SimCC()._sigma(size) == pytest.approx(sigma, abs=0.005)


def test_of_two_animals_both_leave_a_peak(label):
    rows = SimCC().encode(label([[[[20.0, 20.0]], [[60.0, 40.0]]]]), (64, 80))
    assert rows["x"][0][0, 0, [40, 120]].tolist() == [1, 1]
    assert rows["y"][0][0, 0, [40, 80]].tolist() == [1, 1]


def test_a_label_further_away_than_its_gaussian_reaches_weighs_nothing(label):
    labels = label([[[[-4.0, 30.0], [-40.0, 30.0], [30.0, 400.0]]]])
    for _, weight in SimCC().encode(labels, (64, 64)).values():
        assert weight[0, :, 0].tolist() == [1, 0, 0]


def test_an_image_without_animals_gives_empty_rows(label):
    for target, weight in SimCC().encode(label(torch.zeros(2, 0, 3, 2)), (64, 64)).values():
        assert target.shape == (2, 3, 128)
        assert not target.any()
        assert not weight.any()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(split_ratio=1.5), "split_ratio must be a whole number from 1 on, not 1.5"),
        (dict(split_ratio=0), "split_ratio must be a whole number from 1 on, not 0"),
        (dict(sigma=0.0), "sigma must be above 0 bins"),
        (dict(sigma=(1.0, 2.0, 3.0)), "sigma must be one number, or one along x and one along y"),
        (dict(sharpness=0.0), "sharpness must be above 0"),
        (dict(labels="round"), "labels must be one of exact, rounded, not 'round'"),
        (dict(decoding="dark"), "decoding must be one of refined, highest, not 'dark'"),
        (dict(score="mean"), "score must be one of clipped, raw, softmax, not 'mean'"),
    ],
)
def test_values_without_sense_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        SimCC(**options)


# -- the loss ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["present", "mean", "original"])
def test_the_loss_of_the_label_itself_is_nothing(reduction):
    label = torch.rand(2, 3, 64, generator=torch.Generator().manual_seed(0))
    loss = KLDiscreteLoss(reduction=reduction)(label + 4.0, label, torch.ones(2, 3, 1))
    assert float(loss) == pytest.approx(0, abs=1e-6)


def test_labels_may_be_distributions_already():
    label = torch.rand(2, 3, 64, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    loss = KLDiscreteLoss(beta=1.0, label_softmax=False)
    assert float(loss(label.log(), label, torch.ones(2, 3, 1))) == pytest.approx(0, abs=1e-6)
    certain = torch.zeros(1, 1, 4)
    certain[..., 1] = 1
    assert float(loss(torch.zeros(1, 1, 4), certain, torch.ones(1, 1, 1))) == pytest.approx(
        np.log(4)
    )


def test_keypoints_without_a_label_make_the_mean_over_the_others_no_smaller():
    generator = torch.Generator().manual_seed(0)
    output, label = torch.randn(2, 2, 3, 64, generator=generator)
    weight = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])[..., None]
    present = KLDiscreteLoss()(output, label, weight)
    mean = KLDiscreteLoss(reduction="mean")(output, label, weight)
    assert float(present) == pytest.approx(2 * float(mean))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(beta=0.0), "beta and label_beta must be above 0"),
        (dict(label_beta=-1.0), "beta and label_beta must be above 0"),
        (dict(reduction="sum"), "reduction must be present, mean or original, not 'sum'"),
    ],
)
def test_a_loss_without_sense_is_refused(options, text):
    with pytest.raises(ValueError, match=text):
        KLDiscreteLoss(**options)
