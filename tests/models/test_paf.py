"""Part affinity fields: several animals come back, whatever they hide and wherever they meet."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dlcreg.builder import build_model
from dlcreg.data import PoseDataset
from dlcreg.data.batching import collate
from dlcreg.data.demo import generate
from dlcreg.models.codecs.drawing import discs, limb_fields
from dlcreg.models.codecs.paf import PartAffinityFields
from dlcreg.models.codecs.paf_assembly import Assembler
from dlcreg.models.codecs.paf_graph import complete_graph

SIZE = (160, 192)
KINDS = [
    pytest.param(dict(), id="plateau"),
    pytest.param(dict(heatmap="gaussian", anchor="centre"), id="gaussian"),
    pytest.param(dict(search="blurred", radius=8.0), id="blurred"),
]

_SQUARES = torch.tensor([[20.0, 20.0], [60.0, 20.0], [60.0, 60.0], [20.0, 60.0]])
_SQUARES = torch.stack([_SQUARES, _SQUARES + 70])[None]
"""Two animals of four keypoints."""


def worst(poses, keypoints, known):
    """Return the largest error of each animal's nearest prediction; NaN where one is missing."""
    errors = (poses.keypoints[:, :, None] - keypoints[:, None]).norm(dim=-1)  # (B, P, N, K)
    errors = errors.masked_fill(~known[:, None], 0.0)
    mean = (
        errors.mean(dim=-1).nan_to_num(torch.inf).masked_fill(~poses.valid[:, :, None], torch.inf)
    )
    return errors.gather(1, mean.argmin(1)[:, None, :, None].expand(-1, 1, -1, errors.shape[-1]))


def roundtrip(codec, keypoints, known, label, targets_as_outputs):
    given = label(keypoints.masked_fill(~known[..., None], 0.0), known)
    poses = codec.decode(targets_as_outputs(codec, given, SIZE), SIZE)
    assert poses.valid.sum() == known.any(dim=-1).sum()
    missing = poses.keypoints[poses.valid].isnan().all(dim=-1).sum()
    assert missing == (~known).sum()
    assert worst(poses, keypoints, known).max() < 0.1
    assert ((poses.scores == 0) == poses.keypoints.isnan().any(dim=-1))[poses.valid].all()


def drawn_animals(draw, animals=3, parts=6, apart=26.0):
    """Draw animals anywhere in the image, over one another.

    The same keypoints of two lie `apart` pixels from one another along x or along y: a peak is the
    highest cell of a square window, of which the default one reaches 2 cells far, so that two lie
    3 cells apart. Those of an animal lie 8 pixels from one another, and the animals' middles 40.
    """
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    size = torch.tensor([SIZE[1] - 1.0, SIZE[0] - 1.0])
    while True:
        centre = torch.rand(animals, 1, 2, generator=generator) * size
        pose = torch.randn(animals, parts, 2, generator=generator) * 15
        keypoints = torch.minimum((centre + pose).clamp(min=0), size)
        others = [(a - b).abs().amax(-1).min() for a, b in itertools.combinations(keypoints, 2)]
        others += [torch.pdist(keypoints.mean(dim=1)).min() - 40 + apart]
        if min(others) > apart and min(torch.pdist(animal).min() for animal in keypoints) > 8:
            return keypoints[None]


@pytest.mark.parametrize("options", KINDS)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_animals_anywhere_in_the_image_come_back(options, label, targets_as_outputs, data):
    codec = PartAffinityFields(6, num_individuals=3, **options)
    codec.stride = data.draw(st.sampled_from([2.0, 4.0, 8.0]))
    # without location refinement, a peak is the highest cell of a window: those of 8 px reach far
    keypoints = drawn_animals(data.draw, apart=48.0 if "search" in options else 26.0)
    known = torch.ones(keypoints.shape[:3], dtype=torch.bool)
    roundtrip(codec, keypoints, known, label, targets_as_outputs)


@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_animals_with_missing_parts_come_back(label, targets_as_outputs, data):
    codec = PartAffinityFields(6, stride=4.0)  # any number of animals
    keypoints = drawn_animals(data.draw)
    missing = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=6))
    known = torch.ones(keypoints.shape[:3], dtype=torch.bool)
    for animal, part in missing:
        known[0, animal, part] = False
    assume(bool((known.sum(dim=-1) >= 3).all()))  # two links: fewer are no animal
    roundtrip(codec, keypoints, known, label, targets_as_outputs)


@pytest.mark.parametrize(
    "missing", [[(0, 2), (0, 4), (2, 0), (2, 3)], [(0, 2), (0, 4), (2, 0), (2, 1)]]
)
def test_animals_that_lack_parts_take_none_along_chance_crossings(
    missing, label, targets_as_outputs
):
    # the way from a part of the first animal to one of the last runs over limbs of the middle one
    keypoints = torch.tensor(
        [
            [[178.0, 52], [174, 73], [182, 62], [151, 67], [165, 36], [154, 56]],
            [[130, 61], [134, 20], [89, 67], [133, 86], [110, 71], [120, 52]],
            [[27, 41], [0, 17], [2, 43], [36, 18], [20, 61], [5, 30]],
        ]
    )[None]
    known = torch.ones(1, 3, 6, dtype=torch.bool)
    for animal, part in missing:
        known[0, animal, part] = False
    roundtrip(PartAffinityFields(6, stride=4.0), keypoints, known, label, targets_as_outputs)


@pytest.mark.parametrize("most", [None, 2])
def test_a_link_of_chance_does_not_make_two_halves_one_animal(most):
    edges = complete_graph(6)
    affinities = np.zeros((len(edges), 1, 1), np.float32)
    for index, (a, b) in enumerate(edges):
        affinities[index] = 0.9 if (a < 3) == (b < 3) else 0.0
    affinities[edges.index((2, 3))] = 0.95
    points, found = np.random.default_rng(0).random((6, 1, 2)) * 99, np.ones((6, 1), bool)
    one, other = Assembler(edges, 6, most)(points, found, affinities)
    assert {frozenset(one.nodes), frozenset(other.nodes)} == {
        frozenset({0, 1, 2}),
        frozenset({3, 4, 5}),
    }
    (both,) = Assembler(edges, 6, most, growth="links")(points, found, affinities)
    assert len(both.nodes) == 6  # what DeepLabCut makes of it


def test_a_matching_takes_no_pair_that_points_back_to_gain_another_one():
    affinities = np.array([[[0.9, 0.4], [0.3, -0.4]]], np.float32)
    found = np.ones((2, 2), bool)
    (link,) = Assembler([(0, 1)], 2).match(found, affinities)
    assert (link.start, link.stop) == (0, 2)


@pytest.mark.parametrize("stride", [4.0, 8.0])
def test_animals_that_cross_stay_apart(stride, label, targets_as_outputs):
    along = torch.linspace(20, 140, 6)
    one = torch.stack([along, along], dim=-1)
    other = torch.stack([160 - along, along + 3], dim=-1)
    keypoints = torch.stack([one, other])[None]
    known = torch.ones(1, 2, 6, dtype=torch.bool)
    codec = PartAffinityFields(6, num_individuals=2, stride=stride)
    roundtrip(codec, keypoints, known, label, targets_as_outputs)


def test_an_animal_that_lies_on_another_one_is_no_repetition_of_it(label, targets_as_outputs):
    turn = torch.arange(6) * torch.pi / 3
    one = 80 + 50 * torch.stack([turn.cos(), turn.sin()], dim=-1)
    keypoints = torch.stack([one, one.roll(3, 0)])[None]  # turned half round on the spot
    known = torch.ones(1, 2, 6, dtype=torch.bool)
    codec = PartAffinityFields(6, num_individuals=2, stride=4.0)
    roundtrip(codec, keypoints, known, label, targets_as_outputs)
    labels = label(keypoints)
    outputs = targets_as_outputs(codec, labels, SIZE)
    boxes = PartAffinityFields(6, num_individuals=2, stride=4.0, suppression="boxes")
    assert boxes.decode(outputs).valid.sum() == 1  # what DeepLabCut makes of it


def test_keypoints_whose_discs_overlap_are_told_apart(label, targets_as_outputs):
    one = torch.tensor([[40.0, 40], [90, 40], [90, 110]])
    keypoints = torch.stack([one, one + torch.tensor([18.0, 9.0])])[None]
    known = torch.ones(1, 2, 3, dtype=torch.bool)
    codec = PartAffinityFields(3, num_individuals=2, stride=4.0)
    roundtrip(codec, keypoints, known, label, targets_as_outputs)


def test_no_more_animals_than_asked_for_are_kept_and_the_largest_ones(label, targets_as_outputs):
    generator = torch.Generator().manual_seed(0)
    pose = torch.randn(1, 1, 6, 2, generator=generator) * 15
    keypoints = pose + torch.tensor([[35.0, 40], [150, 40], [40, 120], [150, 120]])[:, None]
    visibility = torch.full((1, 4, 6), 2)
    visibility[0, 1, 3:] = 0
    outputs = targets_as_outputs(
        PartAffinityFields(6, stride=4.0), label(keypoints, visibility), SIZE
    )
    poses = PartAffinityFields(6, num_individuals=3, stride=4.0, fuse=False).decode(outputs)
    assert poses.valid.tolist() == [[True] * 3]
    assert PartAffinityFields(6, stride=4.0).decode(outputs).valid.sum() == 4
    assert poses.keypoints.shape == (1, 3, 6, 2)


def test_a_single_animal_needs_no_links(label, targets_as_outputs):
    codec = PartAffinityFields(6, num_individuals=1, stride=4.0)
    keypoints = torch.full((1, 1, 6, 2), 50.0)
    visibility = torch.tensor([[[2, 0, 0, 0, 0, 0]]])
    poses = codec.decode(targets_as_outputs(codec, label(keypoints, visibility), SIZE))
    assert poses.valid.tolist() == [[True]]
    assert poses.keypoints[0, 0, 0].tolist() == [50.0, 50.0]
    assert poses.keypoints[0, 0, 1:].isnan().all()
    assert poses.instance_scores.item() == pytest.approx(1 / 6)


def test_empty_maps_hold_no_animal():
    for most in (1, 2, None):
        codec = PartAffinityFields(3, num_individuals=most, stride=4.0)
        outputs = {n: torch.zeros(2, c, 8, 9) for n, c in codec.output_channels(3).items()}
        poses = codec.decode(outputs)
        assert not poses.valid.any()
        assert poses.keypoints.shape == (2, most or 0, 3, 2)


@pytest.mark.parametrize("output", ["heatmap", "locref", "paf"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_outputs_that_are_no_numbers_give_no_keypoints_that_are_none(
    output, value, label, targets_as_outputs
):
    outputs = targets_as_outputs(PartAffinityFields(4, stride=4.0), label(_SQUARES), SIZE)
    outputs[output] = torch.full_like(outputs[output], value)
    for options in (dict(), dict(search="blurred", affinity="deeplabcut", score="blurred")):
        codec = PartAffinityFields(4, num_individuals=2, stride=4.0, **options)
        poses = codec.decode(outputs, SIZE)
        assert not (poses.keypoints.isnan().any(dim=-1) & (poses.scores > 0)).any()
        assert not poses.valid.any()


def test_outputs_that_need_gradients_are_decoded_as_others(label, targets_as_outputs):
    codec = PartAffinityFields(4, stride=4.0)
    outputs = targets_as_outputs(codec, label(_SQUARES), SIZE)
    poses = codec.decode({name: o.requires_grad_() for name, o in outputs.items()}, SIZE)
    assert poses.valid.sum() == 2


def test_a_batch_without_images_has_no_animals(label, targets_as_outputs):
    codec = PartAffinityFields(4, num_individuals=2, stride=4.0)
    outputs = targets_as_outputs(codec, label(_SQUARES[:0]), SIZE)
    assert codec.decode(outputs, SIZE).keypoints.shape == (0, 2, 4, 2)


def test_animals_of_two_keypoints_are_found_by_their_one_link(label, targets_as_outputs):
    codec = PartAffinityFields(2, num_individuals=2, stride=4.0)
    known = torch.ones(1, 2, 2, dtype=torch.bool)
    roundtrip(codec, _SQUARES[:, :, :2], known, label, targets_as_outputs)


@pytest.mark.parametrize("graph", ["complete", [(0, 1), (2, 0), (3, 0)]])
def test_mirrored_outputs_are_those_of_the_image(graph, label, targets_as_outputs):
    # (0, 1) and (2, 0) link twins to the same keypoint, one forwards and one backwards
    codec = PartAffinityFields(4, num_individuals=2, graph=graph, anchor="centre", stride=4.0)
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.rand(1, 2, 4, 2, generator=generator) * torch.tensor([191.0, 159.0])
    twins = torch.tensor([0, 2, 1, 3])
    mirrored = keypoints[:, :, twins].clone()
    mirrored[..., 0] = SIZE[1] - 1 - mirrored[..., 0]
    plain = targets_as_outputs(codec, label(keypoints), SIZE)
    back = codec.flip(targets_as_outputs(codec, label(mirrored), SIZE), twins)
    assert (back["paf"] - plain["paf"]).abs().max() < 1e-4
    assert (back["heatmap"] - plain["heatmap"]).abs().max() < 1e-4


def test_a_graph_without_the_twin_of_an_edge_cannot_be_mirrored():
    codec = PartAffinityFields(4, graph=[(0, 1), (1, 2), (2, 3)], stride=4.0)
    outputs = {n: torch.zeros(1, c, 4, 4) for n, c in codec.output_channels(4).items()}
    with pytest.raises(ValueError, match=r"has the edge \(0, 1\), but not \(0, 2\)"):
        codec.flip(outputs, torch.tensor([0, 2, 1, 3]))


@pytest.mark.parametrize("overlap", ["nearest", "last"])
def test_limbs_of_a_batch_are_those_of_its_images(overlap):
    """A large batch is drawn in several runs, an image in one."""
    points = 100 * torch.rand(6, 5, 12, 2, generator=torch.Generator().manual_seed(0))
    known = torch.ones(points.shape[:3], dtype=torch.bool)
    edges = torch.combinations(torch.arange(12))
    at_once = limb_fields(points, known, edges, (100, 100), 5.0, overlap)
    singly = [
        limb_fields(p[None], k[None], edges, (100, 100), 5.0, overlap)
        for p, k in zip(points, known)
    ]
    assert torch.equal(at_once, torch.cat(singly))


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_limbs_and_discs_are_drawn_as_a_plain_loop_draws_them(data):
    seed = data.draw(st.integers(0, 2**31))
    generator = torch.Generator().manual_seed(seed)
    height, width = data.draw(st.tuples(st.integers(1, 14), st.integers(1, 14)))
    points = torch.rand(2, 3, 3, 2, generator=generator) * 20 - 3
    if data.draw(st.booleans()):
        points = points.round()  # along the axes, through the cells' centres, of no length
    known = torch.rand(2, 3, 3, generator=generator) > 0.2
    edges = torch.tensor([[0, 1], [2, 1]])
    reach = data.draw(st.sampled_from([0.3, 1.0, 2.5]))
    fields = limb_fields(points, known, edges, (height, width), reach)
    drawn = discs(points, known, (height, width), reach)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    cells = torch.stack([x, y], dim=-1).double()
    points = points.double()
    for b in range(2):
        for index, (i, j) in enumerate(edges.tolist()):
            best = torch.zeros(height, width, dtype=torch.float64)
            at_an_end = torch.zeros(height, width, dtype=torch.bool)  # to the last bit: either way
            for n in range(3):
                a, c = points[b, n, i], points[b, n, j]
                if not known[b, n, i] or not known[b, n, j] or torch.equal(a, c):
                    continue
                length = (c - a).norm()
                unit = (c - a) / length
                along = (cells - a) @ unit
                side = (cells - a) @ torch.stack([unit[1], -unit[0]])
                weight = (1 - side.abs() / reach).clamp(min=0)
                weight[(along < 0) | (along > length)] = 0
                best = torch.maximum(best, weight)
                at_an_end |= torch.minimum(along.abs(), (along - length).abs()) < 1e-3
            drawn_there = fields[b, 2 * index : 2 * index + 2].norm(dim=0)
            assert ((drawn_there - best).abs() < 1e-3)[~at_an_end].all()
        for k in range(3):
            ways = (points[b, known[b, :, k], k][:, None, None] - cells).norm(dim=-1)
            at_the_rim = ((ways - reach).abs() < 1e-4).any(dim=0)
            inside = (ways <= reach).any(dim=0)
            assert ((drawn.disc[b, k] > 0) == inside)[~at_the_rim].all()
            if (inside & ~at_the_rim).any():
                least = ways.amin(dim=0)[inside & ~at_the_rim]
                way = drawn.way[b, 2 * k : 2 * k + 2].norm(dim=0)[inside & ~at_the_rim]
                assert torch.allclose(way.double(), least, atol=1e-3)


def test_what_a_device_without_values_draws_has_the_same_shapes(label):
    labels = label(torch.rand(2, 3, 4, 2) * 60)
    codec = PartAffinityFields(4, stride=4.0)
    targets = codec.encode(labels, (64, 96))
    meta = codec.encode(labels.to("meta"), (64, 96))
    for name, (target, weight) in targets.items():
        assert meta[name][0].shape == target.shape
        assert meta[name][1].shape == weight.shape


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(num_keypoints=1), "need at least 2"),
        (dict(num_individuals=0), "num_individuals must be at least 1 or None"),
        (dict(radius=0.0), "radius must be above 0 pixels"),
        (dict(window=4), "window must be odd"),
        (dict(blur=-1.0), "blur must be a number of cells"),
        (dict(min_peak=1.0), "threshold must be a likelihood"),
        (dict(min_links=0), "min_links must be at least 1"),
        (dict(graph="skeleton"), "the data has no skeleton"),
        (dict(graph="tree"), "graph must be 'complete', 'skeleton' or a list"),
        (dict(graph=[(0, 1), (1, 4)]), r"has the edge \(1, 4\)"),
        (dict(graph=[(0, 1), (1, 1)]), "links keypoint 1 to itself"),
        (dict(graph=[(0, 1), (1, 0), (1, 2), (2, 3)]), "twice"),
        (dict(graph=[(0, 1), (2, 3)]), "links keypoint 2 to no path"),
    ],
)
def test_values_without_sense_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        PartAffinityFields(**{"num_keypoints": 4, **options})


def test_a_small_model_learns_two_animals(tmp_path):
    project = generate(tmp_path / "project", frames=4, animals=2, size=(96, 128), video=False)
    data = PoseDataset(project=str(project), mode="train")
    batch = collate([data[0], data[1]])
    losses = dict(
        heatmap=dict(type="MSELoss", weight=10.0),
        locref=dict(type="HuberLoss", weight=0.5),
        paf=dict(type="HuberLoss", weight=5.0),
    )
    codec = dict(type="PartAffinityFields", radius=6.0, width=6.0)
    config = dict(
        type="PoseModel",
        backbone=dict(type="ResNet", depth=18, out_indices=(0, 1, 2)),
        neck=dict(type="FPN", channels=32),
        head=dict(type="HeatmapHead", codec=codec, losses=losses),
    )
    torch.manual_seed(0)
    model = build_model(config, **data.info.wiring())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        sum(model(batch.images, mode="loss", instances=batch.instances).values()).backward()
        optimizer.step()
    with torch.no_grad():
        poses = model.eval()(batch.images, mode="predict")
    assert poses.valid.all()
    labelled = batch.instances.visibility > 0
    errors = (poses.keypoints[:, :, None] - batch.instances.keypoints[:, None]).norm(dim=-1)
    right = ((errors < 3) & labelled[:, None]).sum(dim=-1)  # (B, P, N)
    assert sorted(right.argmax(dim=1)[0].tolist()) == [0, 1]
    assert sorted(right.argmax(dim=1)[1].tolist()) == [0, 1]
    assert right.amax(dim=1).min() >= 4


@pytest.mark.parametrize(("stride", "there", "whole"), [(1.0, 0.5, 0.0), (4.0, 2.0, 2.0)])
def test_cells_may_be_read_at_whole_pixels(stride, there, whole):
    outputs = {"heatmap": torch.zeros(1, 2, 9, 9), "paf": torch.zeros(1, 2, 9, 9)}
    outputs["heatmap"][:, :, 3, 5] = 1.0
    cell = torch.tensor([5.0, 3.0]) * stride
    for whole_pixels, offset in ((False, there), (True, whole)):
        codec = PartAffinityFields(2, locref_std=None, stride=stride, whole_pixels=whole_pixels)
        codec.activation = "none"
        found = codec.detect(outputs)
        assert torch.equal(found.keypoints[0, :, 0], (cell + offset).expand(2, 2))
