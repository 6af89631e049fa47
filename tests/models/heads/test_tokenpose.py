"""The head whose keypoints are tokens: any backbone and size, attention, mistakes refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg.contracts import ShowsAttention
from dlcreg.models.backbones.identity import IdentityBackbone
from dlcreg.models.codecs.dark import DarkHeatmap
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.heads.tokenpose import TokenPoseHead
from dlcreg.models.layers.patches import cut_into_patches
from dlcreg.models.layers.pre_norm import SelfAttention
from dlcreg.models.pose_model import PoseModel
from dlcreg.solvers.losses.mse import MSELoss

SMALL = dict(patch_size=(2, 3), dim=16, depth=(2, 1), num_heads=2, map_width=None)


def make(in_channels=5, in_strides=4, input_size=(64, 48), num_keypoints=3, codec=None, **options):
    torch.manual_seed(0)
    codec = codec or DarkHeatmap()
    losses = {name: MSELoss() for name in codec.output_channels(1)}
    options = {**SMALL, **options}
    return TokenPoseHead(
        in_channels, in_strides, input_size, num_keypoints, codec, losses, **options
    ).eval()


@pytest.mark.parametrize("stride", [1, 4, 8, 16])
def test_maps_have_the_codec_s_size_whatever_the_backbone_s_stride(stride):
    features = torch.rand(2, 5, 64 // stride, 48 // stride)
    assert make(in_strides=stride)((features,))["heatmap"].shape == (2, 3, 16, 12)


PIXELS = PoseModel(IdentityBackbone(), head=make(3, 1, patch_size=(8, 6)), num_keypoints=3)


@settings(max_examples=30)
@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_images_of_any_size_get_maps_of_the_codec_s_size(height, width):
    model = PIXELS
    with torch.inference_mode():
        output = model(torch.rand(1, 3, height, width))["heatmap"]
    assert output.shape == (1, 3, *model.head.codec.map_size((height, width)))


def test_a_larger_image_has_the_resized_map_of_the_same_image():
    """Positions are relative to the image: patches twice as large see the same in its places."""
    small, large = make(patch_size=(2, 2)), make(patch_size=(4, 4))
    features = torch.rand(1, 5, 16, 12)
    with torch.inference_mode():
        weight = small.patch_to_embedding.weight.view(16, 2, 2, 5)
        large.load_state_dict(
            {
                **small.state_dict(),
                "patch_to_embedding.weight": weight.repeat_interleave(2, 1)
                .repeat_interleave(2, 2)
                .flatten(1)
                / 4,
            }
        )
        expected = small((features,))["heatmap"]
        twice = large((features.repeat_interleave(2, 2).repeat_interleave(2, 3),))["heatmap"]
    assert twice.shape == (1, 3, 32, 24)
    half = torch.nn.functional.avg_pool2d(twice, 2)
    smoothed = torch.nn.functional.avg_pool2d(
        torch.nn.functional.interpolate(expected, scale_factor=2.0, mode="bilinear"), 2
    )
    assert torch.allclose(half, smoothed, atol=1e-5)


def test_patches_list_their_cells_row_by_row_and_of_each_cell_all_channels():
    maps = torch.arange(2 * 4 * 6).view(1, 2, 4, 6).float()
    patches = cut_into_patches(maps, (2, 3))
    assert patches.shape == (1, 4, 12)
    assert torch.equal(patches[0, 1], maps[0, :, :2, 3:].permute(1, 2, 0).flatten())
    assert torch.equal(patches[0, 2], maps[0, :, 2:, :3].permute(1, 2, 0).flatten())


def test_a_map_that_the_patch_does_not_divide_is_continued_by_its_last_cells():
    patches = cut_into_patches(torch.arange(3.0).view(1, 1, 1, 3), (2, 2))
    assert patches.tolist() == [[[0, 1, 0, 1], [2, 2, 2, 2]]]


def test_further_outputs_have_maps_of_their_own():
    head = make(codec=GaussianHeatmap(locref_std=8.0))
    outputs = head((torch.rand(2, 5, 16, 12),))
    assert {name: tuple(o.shape) for name, o in outputs.items()} == {
        "heatmap": (2, 3, 16, 12),
        "locref": (2, 6, 16, 12),
    }


def test_positions_that_are_not_repeated_make_other_maps_after_the_first_layer_only():
    features = (torch.rand(1, 5, 16, 12),)
    one, other = make(depth=(1,)), make(depth=(1,), repeat_positions=False)
    assert torch.equal(one(features)["heatmap"], other(features)["heatmap"])
    one, other = make(), make(repeat_positions=(False, True))
    assert not torch.allclose(one(features)["heatmap"], other(features)["heatmap"])


def test_the_scale_of_attention_is_that_of_a_head_or_of_the_whole_token():
    assert SelfAttention(32, 8).scale == 4**-0.5
    assert SelfAttention(32, 8, scale="token").scale == 32**-0.5
    layers = make(attention_scale="token").transformers
    assert {layer.attention.scale for layers in layers for layer in layers} == {16**-0.5}


def test_the_perceptron_of_a_layer_is_three_times_as_wide_unless_a_width_is_given():
    assert make().transformers[0][0].mlp[0].out_features == 48
    assert make(mlp_ratio=2).transformers[0][0].mlp[0].out_features == 32
    assert make(mlp_width=3).transformers[0][0].mlp[0].out_features == 3


def test_attention_maps_are_what_the_tokens_of_keypoints_attend_to():
    head = make()
    maps = head.attention_maps((torch.rand(2, 5, 17, 12),), torch.zeros(2, 3, 2))
    assert maps.shape == (3, 2, 3, 2, 9, 4)  # layers, images, keypoints, heads, rows, columns
    assert (maps > 0).all()
    assert (maps.sum(dim=(-2, -1)) < 1).all()
    assert isinstance(head, ShowsAttention)


def test_attention_weights_are_those_that_the_output_is_made_of():
    torch.manual_seed(0)
    layer = SelfAttention(8, 2, bias=False)
    tokens = torch.randn(1, 5, 8)
    _, _, value = layer._split(tokens)
    made = (layer.weights(tokens, torch.arange(5)[None]) @ value).transpose(1, 2).flatten(2)
    assert torch.allclose(layer.out(made), layer(tokens), atol=1e-6)


def test_a_model_that_sees_pixels_learns_two_images(label):
    torch.manual_seed(0)
    head = make(3, 1, patch_size=(16, 12), depth=(1,), codec=DarkHeatmap(sigma=1.0))
    model = PoseModel(IdentityBackbone(), head=head, num_keypoints=3).train()
    images = torch.randint(0, 256, (2, 3, 64, 48), dtype=torch.uint8)
    instances = label(16 + 16 * torch.rand(2, 1, 3, 2))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        sum(model(images, mode="loss", instances=instances).values()).backward()
        optimizer.step()
    found = model.eval()(images, mode="predict").keypoints
    assert (found - instances.keypoints).abs().max() < 1.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(dim=18), "dim must be a multiple of 4, not 18"),
        (dict(num_heads=3), "heads must divide the 16 channels of a token, 3 do not"),
        (dict(depth=()), r"depth must be at least 1 each, not \[\]"),
        (dict(patch_size=(0, 3)), r"patch_size must be at least 1 each, not \[0, 3\]"),
        (dict(input_size=(0, 8)), r"input_size must be at least 1 each, not \[0, 8\]"),
        (dict(num_keypoints=0), "num_keypoints must be an int of at least 1, not 0"),
        (dict(mlp_ratio=0.0), "mlp_ratio or mlp_width must make at least 1 channel, not 0"),
        (dict(map_width=0), "map_width must be at least 1 channel, or None, not 0"),
        (dict(map_stride=0), "map_stride must be at least 1 px, not 0"),
        (dict(attention_scale="heads"), "scale must be 'head' or 'token', not 'heads'"),
        (dict(repeat_positions=(True,)), r"says it for 1 transformers, but depth=\[2, 1\] has 2"),
    ],
)
def test_values_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        make(**wrong)


def test_a_codec_whose_outputs_are_not_of_keypoints_is_refused():
    class WithCentre(DarkHeatmap):
        def output_channels(self, num_keypoints):
            return {"heatmap": num_keypoints + 1}

    with pytest.raises(ValueError, match="asks for 4 channels of 'heatmap', but a token of each"):
        make(codec=WithCentre())
