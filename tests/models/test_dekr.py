"""DEKR's codec: what is drawn is found again, however the animals lie."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dlcreg.models.codecs.dekr import DEKROffsets
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.codecs.pose_nms import pose_nms
from dlcreg.models.heads.dekr import DEKRHead
from dlcreg.models.layers.adaptive import AdaptiveBlock
from dlcreg.models.necks.concat import UpsampleConcat

SIZE = (160, 224)


def decoded(codec, instances, targets_as_outputs):
    return codec.decode(targets_as_outputs(codec, instances, SIZE), SIZE)


def missed(poses, instances) -> torch.Tensor:
    """Largest distance of each animal's labelled keypoints to those of the pose that fits best."""
    known = (instances.visibility > 0)[:, :, None]
    apart = (poses.keypoints[:, None] - instances.keypoints[:, :, None]).norm(dim=-1)
    apart = apart.masked_fill(~known, 0.0).amax(dim=-1)
    return apart.masked_fill(~poses.valid[:, None], torch.inf).amin(dim=-1)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    animals=st.integers(1, 5),
    keypoints=st.integers(1, 12),
    stride=st.sampled_from([2, 4, 8]),
    anchor=st.sampled_from(["centre", "corner", "deeplabcut"]),
    spread=st.floats(2, 60),
    missing=st.sampled_from([0.0, 0.3]),
)
def test_what_is_drawn_is_found_wherever_animals_overlap(
    label, targets_as_outputs, seed, animals, keypoints, stride, anchor, spread, missing
):
    draw = torch.Generator().manual_seed(seed)
    edge = torch.tensor([SIZE[1] - 1.0, SIZE[0] - 1.0])
    middle = torch.rand(1, animals, 1, 2, generator=draw) * edge
    points = middle + torch.randn(1, animals, keypoints, 2, generator=draw) * spread
    points = torch.minimum(points.clamp(min=0), edge)
    visibility = 2 * (torch.rand(1, animals, keypoints, generator=draw) >= missing).int()
    visibility[..., 0] = 2
    instances = label(points, visibility)
    known = (visibility > 0)[..., None]
    centres = (points * known).sum(dim=2) / known.sum(dim=2)
    apart = (centres[:, :, None] - centres[:, None]).abs().amax(dim=-1) / stride
    # where a keypoint has no label, a pose is free to have that of an animal around it
    least = 6 if missing else 3
    assume(animals == 1 or float((apart + 100 * torch.eye(animals)).min()) >= least)
    codec = DEKROffsets(anchor=anchor, stride=stride, nms=0.0)
    poses = decoded(codec, instances, targets_as_outputs)
    assert poses.valid.sum() == animals
    assert missed(poses, instances).max() < 0.1


def pair(label, way: float, scale: float = 1.0):
    """Two animals whose centres lie `way` pixels apart, the second `scale` times as large."""
    draw = torch.Generator().manual_seed(3)
    points = torch.randn(1, 2, 6, 2, generator=draw) * 12
    points = points - points.mean(dim=2, keepdim=True)
    points[:, 1] = points[:, 0] * scale
    centres = torch.tensor([[90.0, 70.0], [90.0 + way, 70.0]])[None, :, None]
    return label(points + centres)


def test_of_two_animals_with_one_centre_the_smaller_is_found(label, targets_as_outputs):
    instances = pair(label, 0.0, scale=3.0)
    poses = decoded(DEKROffsets(stride=4), instances, targets_as_outputs)
    near = missed(poses, instances)[0]
    assert near[0] < 0.1
    assert near[1] > 5


def test_the_nearest_centre_lets_close_animals_be_told_where_the_smallest_does_not(
    label, targets_as_outputs
):
    instances = pair(label, 14.0, scale=1.5)
    near = missed(decoded(DEKROffsets(stride=4), instances, targets_as_outputs), instances)
    assert near.max() < 0.1
    paper = DEKROffsets(stride=4, overlap="smallest")
    near = missed(decoded(paper, instances, targets_as_outputs), instances)[0]
    assert near[0] < 0.1
    assert near[1] > 5


def test_as_many_poses_are_given_as_there_are_animals_the_best(label, targets_as_outputs):
    instances = pair(label, 60.0)
    codec = DEKROffsets(stride=4, num_individuals=1)
    outputs = targets_as_outputs(codec, instances, SIZE)
    outputs["heatmap"][..., :26] *= 0.5  # of the first
    poses = codec.decode(outputs, SIZE)
    assert poses.valid.tolist() == [[True]]
    assert missed(poses, instances)[0, 1] < 0.1


def test_an_image_without_animals_has_no_pose(targets_as_outputs):
    codec = DEKROffsets(stride=4)
    outputs = {"heatmap": torch.zeros(2, 4, 40, 56), "offset": torch.zeros(2, 6, 40, 56)}
    assert not codec.decode(outputs, SIZE).valid.any()


def test_animals_below_the_least_area_have_no_centre_but_keypoints(label):
    instances = replace(pair(label, 60.0), areas=torch.tensor([[500.0, 2000.0]]))
    targets = DEKROffsets(stride=4, min_area=1024).encode(instances, SIZE)
    heatmap, _ = targets["heatmap"]
    assert heatmap[0, -1].max() > 0.9
    assert heatmap[0, -1, :, :26].max() < 0.1
    assert heatmap[0, 0].flatten().topk(2).values.min() > 0.5


def test_weights_fall_with_the_size_of_the_animal(label):
    instances = replace(pair(label, 80.0, scale=2.0), areas=torch.tensor([[400.0, 3600.0]]))
    for normalise_by, ratio in (("extent", 2.0), ("area", 3.0)):
        codec = DEKROffsets(stride=4, normalise_by=normalise_by, radius=1.0)
        _, weight = codec.encode(instances, SIZE)["offset"]
        small, large = weight.unique()[1:].tolist()[::-1]
        assert small / large == pytest.approx(ratio, rel=1e-4)


def test_poses_found_twice_are_given_once():
    pose = torch.rand(10, 2) * 50
    poses = torch.stack([pose, pose + 0.5, pose + 40, pose + 0.3])[None]
    scores = torch.tensor([[0.5, 0.9, 0.8, 0.7]])
    found = torch.tensor([[True, True, True, False]])
    kept = pose_nms(poses, scores, found, threshold=0.05, count=5)
    assert kept.tolist() == [[False, True, True, False]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(sigma=0.0), "sigma must be above 0"),
        (dict(radius=-1.0), "radius must be above 0"),
        (dict(background=-0.1), "background must be a number from 0 on"),
        (dict(window=4), "window must be odd"),
        (dict(candidates=0), "candidates must be at least 1"),
        (dict(nms_keypoints=-1), "nms_keypoints must be at least 0"),
    ],
)
def test_values_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DEKROffsets(**options)


@pytest.mark.parametrize("options", [{}, {"snap": "peak"}, {"snap": "fit"}, {"rescore": True}])
@pytest.mark.parametrize("output", ["heatmap", "offset"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_outputs_that_are_no_numbers_are_keypoints_or_animals_that_were_not_found(
    options, output, value, label, targets_as_outputs
):
    square = torch.tensor([[20.0, 20], [60, 20], [60, 60], [20, 60]])
    codec = DEKROffsets(stride=4, num_keypoints=4, skeleton=[(0, 1), (1, 2)], **options)
    outputs = targets_as_outputs(codec, label(torch.stack([square, square + 70])[None]), SIZE)
    nothing = codec.decode({**outputs, output: torch.full_like(outputs[output], value)}, SIZE)
    assert not nothing.valid.any()
    partly = outputs[output].clone()
    partly[:, 1] = value  # offset: of the first keypoint, along y
    poses = codec.decode({**outputs, output: partly}, SIZE)
    assert poses.valid.sum() == 2
    missing = poses.keypoints[poses.valid].isnan().all(dim=-1)
    assert missing.sum(dim=-1).tolist() == [1, 1]
    assert ((poses.scores[poses.valid] == 0) == missing).all()
    assert poses.instance_scores.isfinite().all()


def test_a_head_refuses_a_codec_of_other_outputs():
    with pytest.raises(ValueError, match=r"GaussianHeatmap speaks of heatmap; DEKRHead makes"):
        DEKRHead(8, 4, 3, GaussianHeatmap(), {})


def test_the_taps_of_an_adaptive_block_begin_at_the_cell_itself():
    torch.manual_seed(0)
    block = AdaptiveBlock(groups=2, channels=3).eval()
    x = torch.rand(1, 6, 5, 7)
    nine = block.weight.sum(dim=(2, 3))  # all taps read the same
    taps = torch.einsum("goc,bgchw->bgohw", nine.view(2, 3, 3), x.view(1, 2, 3, 5, 7))
    taps = taps.flatten(1, 2)
    assert torch.allclose(block(x), torch.relu(block.norm(taps) + x), atol=1e-5)


def test_groups_of_an_adaptive_block_know_nothing_of_one_another():
    torch.manual_seed(0)
    block = AdaptiveBlock(groups=2, channels=3).eval()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.rand(1, 6, 5, 7)
    changed = torch.cat([x[:, :3], torch.rand(1, 3, 5, 7)], dim=1)
    assert torch.equal(block(x)[:, :3], block(changed)[:, :3])
    assert not torch.allclose(block(x)[:, 3:], block(changed)[:, 3:])


def test_maps_are_brought_to_the_size_of_the_finest():
    neck = UpsampleConcat((2, 3), (4, 8))
    (joined,) = neck((torch.zeros(1, 2, 9, 7), torch.ones(1, 3, 5, 4)))
    assert joined.shape == (1, 5, 9, 7)
    assert (neck.out_channels, neck.out_strides) == ((5,), (4,))
