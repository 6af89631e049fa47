"""Codecs: what is encoded is decoded, wherever it lies, for every codec of the package."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg.models.codecs.dark import DarkHeatmap
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.codecs.msra import MSRAHeatmap
from dlcreg.models.codecs.plateau import PlateauHeatmap
from dlcreg.models.codecs.simcc import SimCC
from dlcreg.models.codecs.udp import UDPHeatmap

EXACT = [
    pytest.param(lambda: GaussianHeatmap(), id="gaussian"),
    pytest.param(lambda: GaussianHeatmap(sigma=1.2, anchor="deeplabcut"), id="gaussian-deeplabcut"),
    pytest.param(lambda: GaussianHeatmap(locref_std=7.2801), id="gaussian-locref"),
    pytest.param(lambda: PlateauHeatmap(), id="plateau"),
    pytest.param(lambda: PlateauHeatmap(anchor="centre"), id="plateau-centre"),
]
SINGLE = [*EXACT, pytest.param(lambda: DarkHeatmap(), id="dark")]
ALL = [*SINGLE, pytest.param(lambda: MSRAHeatmap(), id="msra")]


def positions(draw, count: int, size: tuple[int, int], margin: float = 0.0) -> list[list[float]]:
    def inside(length: int):
        return st.floats(margin, length - 1 - margin, width=32)

    return [[draw(inside(size[1])), draw(inside(size[0]))] for _ in range(count)]


@pytest.mark.parametrize("make", EXACT)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_keypoints_anywhere_in_the_image_come_back(make, label, targets_as_outputs, data):
    codec = make()
    codec.stride = data.draw(st.sampled_from([2.0, 4.0, 8.0]))
    size = data.draw(st.sampled_from([(64, 96), (97, 65), (128, 128)]))
    keypoints = torch.tensor(positions(data.draw, 3, size))[None, None]

    poses = codec.decode(targets_as_outputs(codec, label(keypoints), size))

    assert (poses.keypoints - keypoints).abs().max() < 0.1
    assert poses.valid.all()
    assert poses.scores.max() <= 1


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_dark_gives_keypoints_back_that_lie_a_few_cells_inside(label, targets_as_outputs, data):
    # Smoothing with zeros around the map bends the blob near a border, as in the original.
    codec = DarkHeatmap(stride=4)
    size = (128, 96)
    keypoints = torch.tensor(positions(data.draw, 3, size, margin=36.0))[None, None]
    poses = codec.decode(targets_as_outputs(codec, label(keypoints), size))
    assert (poses.keypoints - keypoints).abs().max() < 0.1


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_msra_gives_keypoints_back_to_half_a_cell(label, targets_as_outputs, data):
    codec = MSRAHeatmap(stride=4)
    size = (128, 96)
    keypoints = torch.tensor(positions(data.draw, 3, size, margin=4.0))[None, None]
    poses = codec.decode(targets_as_outputs(codec, label(keypoints), size))
    assert (poses.keypoints - keypoints).abs().max() <= 2.001


@pytest.mark.parametrize("make", SINGLE)
def test_maps_of_the_mirrored_image_flip_back_to_the_same_keypoints(
    make, label, targets_as_outputs
):
    codec = make()
    codec.stride = 4.0
    size = (96, 128)
    keypoints = torch.rand(2, 1, 4, 2, generator=torch.Generator().manual_seed(3)) * 40 + 36
    twins = torch.tensor([1, 0, 2, 3])
    mirrored = keypoints[:, :, twins].clone()
    mirrored[..., 0] = size[1] - 1 - mirrored[..., 0]

    outputs = codec.flip(targets_as_outputs(codec, label(mirrored), size), twins)

    error = (codec.decode(outputs).keypoints - keypoints).abs().max()
    # DeepLabCut's cells do not mirror onto themselves: half a pixel, and one of the maps alone.
    limit = 1.1 if getattr(codec, "anchor", "") == "deeplabcut" and not codec.locref_std else 0.1
    assert error < limit


def test_msra_maps_of_the_mirrored_image_lie_within_the_original_s_pixel(label, targets_as_outputs):
    codec = MSRAHeatmap(stride=4)
    size = (96, 128)
    keypoints = torch.tensor([[[[40.0, 40.0], [80.0, 48.0]]]])
    mirrored = keypoints.flip(2).clone()
    mirrored[..., 0] = size[1] - 1 - mirrored[..., 0]
    outputs = codec.flip(targets_as_outputs(codec, label(mirrored), size), torch.tensor([1, 0]))
    assert (codec.decode(outputs).keypoints - keypoints).abs().max() <= 2.5


@pytest.mark.parametrize("make", ALL)
def test_a_keypoint_without_a_label_weighs_nothing(make, label):
    codec = make()
    codec.stride = 4.0
    labels = label(torch.rand(2, 1, 3, 2) * 60, torch.tensor([[[2, 0, 1]], [[0, 0, 0]]]))
    for name, (target, weight) in codec.encode(labels, (64, 64)).items():
        weight = weight.expand_as(target).reshape(2, 3, -1)
        assert (weight[0, 1] == 0).all(), name
        assert (weight[1] == 0).all(), name
        assert (weight[0, 0] != 0).any(), name
        assert (weight[0, 2] != 0).any(), name


@pytest.mark.parametrize("make", ALL)
def test_targets_are_finite_whatever_lies_at_a_keypoint_without_a_label(make, label):
    codec = make()
    codec.stride = 4.0
    keypoints = torch.full((1, 2, 2, 2), float("nan"))
    keypoints[0, 0, 0] = 20.0
    labels = label(keypoints, torch.tensor([[[2, 0], [0, 0]]]))
    for target, weight in codec.encode(labels, (64, 64)).values():
        assert target.isfinite().all()
        assert weight.isfinite().all()


@pytest.mark.parametrize("make", ALL)
def test_rows_that_only_pad_the_batch_draw_nothing(make, label):
    codec = make()
    codec.stride = 4.0
    keypoints = torch.tensor([[[[20.0, 20.0]], [[50.0, 50.0]]]])
    padded = label(keypoints, valid=torch.tensor([[True, False]]))
    alone = label(keypoints[:, :1])
    for name, (target, weight) in codec.encode(padded, (64, 64)).items():
        assert torch.equal(target, codec.encode(alone, (64, 64))[name][0])
        assert torch.equal(weight, codec.encode(alone, (64, 64))[name][1])


@pytest.mark.parametrize("make", ALL)
def test_an_image_without_animals_gives_empty_maps(make, label):
    codec = make()
    codec.stride = 4.0
    for target, weight in codec.encode(label(torch.zeros(2, 0, 3, 2)), (64, 64)).values():
        assert (target == 0).all()
        assert (weight == 0).all()


@pytest.mark.parametrize("make", ALL)
def test_missing_keypoints_can_be_learnt_as_background(make, label):
    codec = make()
    codec.stride = 4.0
    codec.unlabelled = "background"
    target, weight = codec.encode(label(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2)), (64, 64))[
        "heatmap"
    ]
    assert (target == 0).all()
    assert (weight == 1).all()


@pytest.mark.parametrize("make", ALL)
def test_declared_channels_and_sizes_are_the_real_ones(make, label):
    codec = make()
    codec.stride = 4.0
    targets = codec.encode(label(torch.full((2, 1, 5, 2), 30.0)), (66, 97))
    channels = codec.output_channels(5)
    assert set(targets) == set(channels)
    for name, (target, _) in targets.items():
        assert target.shape == (2, channels[name], *codec.map_size((66, 97)))


@pytest.mark.parametrize("make", EXACT)
def test_two_animals_on_one_map_keep_both_peaks(make, label):
    codec = make()
    codec.stride = 4.0
    labels = label(torch.tensor([[[[17.5, 17.5]], [[49.5, 33.5]]]]))
    heatmap = codec.encode(labels, (64, 64))["heatmap"][0][0, 0]
    assert heatmap[4, 4] > 0.9
    assert heatmap[8, 12] > 0.9


@pytest.mark.parametrize("codec", [GaussianHeatmap(locref_std=5.0), PlateauHeatmap()])
@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_location_refinement_points_at_the_nearest_animal_whatever_their_order(codec, order, label):
    codec.stride = 4.0
    animals = torch.tensor([[[[30.0, 30.0]], [[42.0, 30.0]]]])[:, order]
    locref, weight = codec.encode(label(animals), (64, 64))["locref"]
    offset = 2.0 if codec.anchor == "deeplabcut" else 1.5
    for column in range(16):
        centre = column * 4 + offset
        if weight[0, 0, 7, column] == 0:
            continue
        nearest = 30.0 if abs(30 - centre) < abs(42 - centre) else 42.0
        assert locref[0, 0, 7, column] * codec.locref_std == pytest.approx(nearest - centre)


def test_scores_are_likelihoods_between_0_and_1():
    codec = GaussianHeatmap(stride=4)
    maps = torch.full((1, 2, 8, 8), -3.0)
    maps[0, 0, 3, 3] = 1.7
    assert codec.decode({"heatmap": maps}).scores.tolist() == [[[1.0, 0.0]]]


def test_a_sigmoid_is_applied_where_the_loss_implies_it():
    codec = PlateauHeatmap(stride=4, locref_std=None, activation="sigmoid")
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 2, 5] = 2.0
    poses = codec.decode({"heatmap": maps})
    assert poses.scores.item() == pytest.approx(0.880797, abs=1e-5)
    assert poses.keypoints.tolist() == [[[[22.0, 10.0]]]]


@pytest.mark.parametrize("make", ALL)
def test_flat_and_tiny_maps_decode_to_finite_keypoints(make):
    codec = make()
    codec.stride = 4.0
    for size in [(1, 1), (2, 3), (4, 4), (16, 16)]:
        outputs = {n: torch.zeros(1, c, *size) for n, c in codec.output_channels(2).items()}
        assert codec.decode(outputs).keypoints.isfinite().all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: GaussianHeatmap(sigma=0.0), "sigma must be above 0"),
        (lambda: GaussianHeatmap(read="mean"), "read must be 'peak' or 'cell', not 'mean'"),
        (lambda: GaussianHeatmap(locref_std=-1.0), "locref_std must be above 0"),
        (lambda: PlateauHeatmap(radius=0.0), "radius must be above 0"),
        (lambda: PlateauHeatmap(locref_std=0.0), "locref_std must be above 0"),
        (lambda: MSRAHeatmap(sigma=-2.0), "sigma must be above 0"),
        (lambda: DarkHeatmap(sigma=0.0), "sigma must be above 0"),
        (lambda: DarkHeatmap(kernel=4), "kernel must be odd"),
        (lambda: DarkHeatmap(sigma=math.inf), "sigma must be above 0 cells and finite, not inf"),
        (lambda: GaussianHeatmap(sigma=math.nan), "sigma must be above 0 cells and finite, not n"),
        (lambda: GaussianHeatmap(locref_radius=math.nan), "locref_radius must be above 0 pixels"),
        (lambda: MSRAHeatmap(sigma=math.nan), "sigma must be above 0 cells and finite, not nan"),
        (lambda: PlateauHeatmap(radius=math.inf), "radius must be above 0 pixels and finite"),
    ],
)
def test_values_without_sense_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_a_codec_without_a_stride_says_so(label):
    with pytest.raises(ValueError, match="needs a stride"):
        GaussianHeatmap().encode(label(torch.zeros(1, 1, 1, 2)), (64, 64))


@pytest.mark.parametrize("make", [*ALL, UDPHeatmap, SimCC])
def test_maps_without_numbers_are_keypoints_that_were_not_found(make, label, targets_as_outputs):
    codec = make()
    codec.stride = codec.stride or 4.0
    keypoints = torch.tensor([[[[40.0, 40.0], [60.0, 50.0]]]])
    outputs = targets_as_outputs(codec, label(keypoints), (96, 96))
    for name, output in outputs.items():
        broken = output.clone()
        broken[:, 0] = torch.nan
        poses = codec.decode({**outputs, name: broken}, (96, 96))
        assert poses.keypoints[0, 0, 0].isnan().all()
        assert poses.scores[0, 0, 0] == 0
        assert poses.keypoints[0, 0, 1].isfinite().all()
        assert poses.instance_scores.isfinite().all()
    nothing = codec.decode({n: torch.full_like(o, torch.nan) for n, o in outputs.items()}, (96, 96))
    assert not nothing.valid.any()
