"""Heads of transposed convolutions: maps of the size that the codec is told, edges or not."""

from __future__ import annotations

import pytest
import torch

from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.codecs.paf import PartAffinityFields
from dlcreg.models.codecs.plateau import PlateauHeatmap
from dlcreg.models.heads.deconv import DeconvHead
from dlcreg.models.heads.dlcrnet import DLCRNetHead
from dlcreg.models.layers.deconvolution import Deconvolution
from dlcreg.solvers.losses.bce import BCELoss
from dlcreg.solvers.losses.huber import HuberLoss


def _maps(head, size: tuple[int, int], stride: int) -> dict[str, torch.Tensor]:
    cells = (-(-length // stride) for length in size)
    with torch.no_grad():
        return head((torch.randn(1, 8, *cells),))


@pytest.mark.parametrize("drop", ["first", "last", "none"])
def test_a_deconvolution_leaves_out_one_edge_or_none(drop):
    torch.manual_seed(0)
    layer = Deconvolution(3, 2, drop)
    every = Deconvolution(3, 2, "none")
    every.load_state_dict(layer.state_dict())
    x = torch.randn(1, 3, 4, 5)
    whole = every(x)
    assert whole.shape == (1, 2, 9, 11)
    kept = {"first": whole[..., 1:, 1:], "last": whole[..., :-1, :-1], "none": whole}[drop]
    assert torch.allclose(layer(x), kept, atol=1e-6)


@pytest.mark.parametrize("size", [(64, 96), (80, 48)])
@pytest.mark.parametrize("num_deconvs", [1, 2, 3])
@pytest.mark.parametrize("keep_edges", [False, True])
def test_maps_of_a_deconv_head_have_the_size_of_its_targets(size, num_deconvs, keep_edges):
    codec = GaussianHeatmap(locref_std=8.0)
    head = DeconvHead(8, 16, 4, codec, {}, num_deconvs=num_deconvs, keep_edges=keep_edges)
    assert codec.stride == 16 / 2**num_deconvs
    assert codec.extra_cells == (2**num_deconvs - 1 if keep_edges else 0)
    for value in _maps(head, size, 16).values():
        assert value.shape[2:] == codec.map_size(size)


@pytest.mark.parametrize("size", [(64, 96), (80, 48)])
@pytest.mark.parametrize("engine", ["pytorch", "tensorflow"])
@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("num_deconvs", [0, 1, 2])
def test_maps_of_a_staged_head_have_the_size_of_its_targets(size, engine, doubled, num_deconvs):
    codec = PartAffinityFields(num_keypoints=4)
    options = dict(engine=engine, doubled=doubled, num_deconvs=num_deconvs, feature_channels=4)
    head = DLCRNetHead(8, 16, 4, codec, {}, **options)
    outputs = _maps(head, size, 16)
    assert {k: v.shape[1] for k, v in outputs.items()} == {"heatmap": 4, "locref": 8, "paf": 12}
    for value in outputs.values():
        assert value.shape[2:] == codec.map_size(size)


def test_without_fields_a_staged_head_refines_the_heatmaps_of_one_animal(label):
    losses = {"heatmap": BCELoss(), "locref": HuberLoss()}
    head = DLCRNetHead(8, 16, 3, PlateauHeatmap(), losses, engine="pytorch", num_deconvs=1)
    features = (torch.randn(2, 8, 4, 6),)
    assert list(head.stages[0]) == ["heatmap"]
    instances = label(torch.full((2, 1, 3, 2), 30.0))
    sum(head.loss(features, instances, (64, 96)).values()).backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())
    assert head.predict(features, (64, 96)).keypoints.shape == (2, 1, 3, 2)


def test_each_stage_from_the_second_on_adds_the_heatmaps_before():
    head = DLCRNetHead(8, 4, 2, GaussianHeatmap(), {}, num_stages=3, feature_channels=4)
    for number, stage in enumerate(head.stages):
        torch.nn.init.zeros_(stage["heatmap"].weight)
        torch.nn.init.constant_(stage["heatmap"].bias, 10.0**number)
    kept = []
    head.final["heatmap"].register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    _maps(head, (16, 16), 4)
    assert kept[0][:, :2].unique().tolist() == [111.0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (dict(num_deconvs=0), "num_deconvs must be at least 1, not 0; HeatmapHead needs none"),
        (dict(deconv_channels=0), "deconv_channels must be at least 1 or None"),
    ],
)
def test_values_of_a_deconv_head_without_sense_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        DeconvHead(8, 16, 4, GaussianHeatmap(), {}, **make)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (dict(engine="jax"), "engine must be 'pytorch' or 'tensorflow'"),
        (dict(num_stages=-1), "must be at least 0: -1, 0"),
        (dict(feature_channels=0), "feature_channels must be at least 1"),
    ],
)
def test_values_of_a_staged_head_without_sense_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        DLCRNetHead(8, 16, 4, GaussianHeatmap(), {}, **make)
