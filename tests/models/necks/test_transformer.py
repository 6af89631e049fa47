"""The transformer neck: any size, attention told on demand, mistakes refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcreg.contracts import ShowsAttention
from dlcreg.models.layers.encoder_layer import EncoderLayer
from dlcreg.models.layers.sine_position import SinePositions, sine_positions
from dlcreg.models.necks.transformer import TransformerNeck

SMALL = dict(channels=16, num_layers=2, num_heads=2, hidden_channels=24)


@pytest.fixture
def neck() -> TransformerNeck:
    torch.manual_seed(0)
    return TransformerNeck(4, 8, (64, 48), **SMALL).eval()


def test_maps_of_any_size_come_out_as_large(neck):
    for size in ((8, 6), (7, 11), (1, 1)):
        (out,) = neck((torch.rand(1, 4, *size),))
        assert out.shape == (1, 16, *size)


def test_the_kept_positions_are_those_that_would_be_made(neck):
    assert torch.equal(neck.positions(8, 6), sine_positions(8, 6, 16))
    assert torch.equal(SinePositions(3, 5, 16)(8, 6), neck.positions(8, 6))


def test_weights_fit_a_neck_for_another_input_size(neck):
    other = TransformerNeck(4, 8, (96, 200), **SMALL).eval()
    other.load_state_dict(neck.state_dict())
    maps = (torch.rand(2, 4, 5, 7),)
    assert torch.equal(other(maps)[0], neck(maps)[0])


def test_positions_count_as_parameters_that_do_not_learn(neck):
    fixed = [n for n, p in neck.named_parameters() if not p.requires_grad]
    assert fixed == ["positions.table"]
    assert not any("positions" in name for name in neck.state_dict())


def test_an_encoder_layer_is_torch_s_where_all_tokens_stand_at_one_place():
    torch.manual_seed(0)
    ours = EncoderLayer(16, 4, 32, 0.0).eval()
    theirs = nn.TransformerEncoderLayer(16, 4, 32, 0.0, batch_first=True).eval()
    theirs.load_state_dict(ours.state_dict())
    tokens = torch.randn(2, 9, 16)
    assert torch.allclose(ours(tokens, torch.zeros(9, 16)), theirs(tokens), atol=1e-6)


def test_values_know_no_positions():
    torch.manual_seed(0)
    layer = EncoderLayer(8, 2, 8, 0.0).eval()
    tokens = torch.randn(1, 1, 8).expand(1, 5, 8)  # alike, so that all attention gives the same
    near, far = layer(tokens, torch.randn(5, 8)), layer(tokens, 100 * torch.randn(5, 8))
    assert torch.allclose(near, far, atol=1e-6)


def test_layer_norms_have_the_original_s_epsilon(neck):
    assert {m.eps for m in neck.modules() if isinstance(m, nn.LayerNorm)} == {1e-5}


def test_attention_maps_are_distributions_over_the_cells(neck):
    maps = neck.attention_maps((torch.rand(3, 4, 8, 6),), torch.rand(3, 5, 2) * 40)
    assert maps.shape == (2, 3, 5, 2, 8, 6)  # layers, images, keypoints, heads, rows, columns
    assert torch.allclose(maps.sum(dim=(-2, -1)), torch.ones(2, 3, 5, 2), atol=1e-5)
    assert isinstance(neck, ShowsAttention)


def test_attention_maps_are_those_that_the_output_is_made_of(neck):
    (features,) = (torch.rand(1, 4, 4, 3),)
    cells = torch.cartesian_prod(torch.arange(4), torch.arange(3)).flip(-1)  # x, y of each cell
    points = (cells * 8 + 3.5)[None]
    maps = neck.attention_maps((features,), points)[0].mean(2).flatten(2)  # (1, 12, 12)
    layer, tokens = neck.layers[0], neck.reduce(features).flatten(2).transpose(1, 2)
    placed = tokens + neck.positions(4, 3)
    _, expected = layer.self_attn(placed, placed, tokens)
    assert torch.allclose(maps, expected, atol=1e-6)


def test_a_point_outside_the_image_has_the_nearest_cell(neck):
    features = (torch.rand(1, 4, 8, 6),)
    outside = neck.attention_maps(features, torch.tensor([[[-50.0, 900.0]]]))
    corner = neck.attention_maps(features, torch.tensor([[[3.5, 59.5]]]))
    assert torch.equal(outside, corner)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(channels=18, num_heads=2), "channels must be a multiple of 4, not 18"),
        (dict(num_heads=3), "num_heads must divide channels: 16 channels cannot be shared by 3"),
        (dict(num_layers=0), "num_layers must be at least 1, not 0"),
        (dict(dropout=1.0), "dropout must be a share from 0 to below 1, not 1"),
    ],
)
def test_values_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        TransformerNeck(4, 8, (64, 48), **{**SMALL, **wrong})
