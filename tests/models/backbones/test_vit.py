"""The vision transformer: positions of any size, a pre-training, layers and attention."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcreg.contracts import HasLayers, ShowsAttention
from dlcreg.errors import CheckpointError
from dlcreg.models.backbones.vit import ViT
from dlcreg.solvers.optimizers import parameter_groups

SMALL = dict(dim=16, depth=3, num_heads=2)


@pytest.fixture
def vit() -> ViT:
    torch.manual_seed(0)
    return ViT((64, 48), **SMALL).eval()


@pytest.fixture(scope="module")
def pretraining() -> dict[str, torch.Tensor]:
    """Weights as MAE has them, of images of 5 x 5 patches, random."""
    torch.manual_seed(1)
    state = ViT((80, 80), **SMALL).state_dict()
    theirs = {
        ".attention.qkv.": ".attn.qkv.",
        ".attention.out.": ".attn.proj.",
        ".mlp.0.": ".mlp.fc1.",
        ".mlp.2.": ".mlp.fc2.",
        "patch_embed.": "patch_embed.proj.",
        "last_norm.": "norm.",
    }
    found = {"cls_token": torch.zeros(1, 1, 16)}
    for name, tensor in state.items():
        for ours, original in theirs.items():
            name = name.replace(ours, original)
        found[name] = tensor
    return found


def test_images_of_other_sizes_have_resized_positions(vit):
    for height, width in ((64, 48), (32, 112), (16, 16)):
        (x,) = vit(torch.rand(2, 3, height, width))
        assert x.shape == (2, 16, height // 16, width // 16)


def test_the_first_position_is_added_to_all_tokens(vit):
    image = torch.rand(1, 3, 64, 48)
    before, grid = vit._tokens(image)
    with torch.no_grad():
        vit.pos_embed[:, 0] += 1
    assert grid == (4, 3)
    assert torch.allclose(vit._tokens(image)[0], before + 1, atol=1e-6)


def test_weights_of_a_pretraining_load_with_positions_of_this_grid(pretraining, tmp_path):
    torch.save({"model": pretraining}, tmp_path / "mae.pth")
    vit = ViT((64, 48), weights=str(tmp_path / "mae.pth"), **SMALL)
    assert torch.equal(vit.blocks[2].mlp[2].weight, pretraining["blocks.2.mlp.fc2.weight"])
    assert torch.equal(vit.patch_embed.weight, pretraining["patch_embed.proj.weight"])
    assert torch.equal(vit.pos_embed[:, 0], pretraining["pos_embed"][:, 0])
    assert vit.pos_embed.shape == (1, 1 + 4 * 3, 16)
    assert torch.equal(vit.last_norm.weight, torch.ones(16))


def test_positions_of_the_same_grid_are_taken_as_they_are(pretraining, tmp_path):
    torch.save(pretraining, tmp_path / "mae.pth")
    vit = ViT((80, 80), weights=str(tmp_path / "mae.pth"), **SMALL)
    assert torch.equal(vit.pos_embed, pretraining["pos_embed"])


def test_weights_of_vitpose_load_into_the_backbone_alone(vit, tmp_path):
    state = {f"backbone.{name}": tensor for name, tensor in vit.state_dict().items()}
    torch.save({"state_dict": {**state, "keypoint_head.x": torch.ones(1)}}, tmp_path / "v.pth")
    other = ViT((64, 48), weights=str(tmp_path / "v.pth"), **SMALL).eval()
    image = torch.rand(1, 3, 64, 48)
    assert torch.equal(other(image)[0], vit(image)[0])


def test_weights_of_another_width_are_refused(pretraining, tmp_path):
    torch.save(pretraining, tmp_path / "mae.pth")
    with pytest.raises(CheckpointError, match="of another shape"):
        ViT((64, 48), weights=str(tmp_path / "mae.pth"), dim=32, depth=3, num_heads=2)


def test_images_are_left_out_of_the_later_layers_in_training_alone():
    torch.manual_seed(0)
    vit = ViT((32, 32), drop_path=0.9, **SMALL)
    assert [getattr(b.drop_path, "p", 0.0) for b in vit.blocks] == pytest.approx([0, 0.45, 0.9])
    images = torch.rand(1, 3, 32, 32).expand(8, -1, -1, -1)
    (trained,), (measured,) = vit.train()(images), vit.eval()(images)
    assert torch.equal(measured[0], measured[1])
    assert len({row.sum().item() for row in trained}) > 1


def test_attention_maps_are_distributions_over_the_patches(vit):
    maps = vit.attention_maps(torch.rand(2, 3, 64, 48), torch.tensor([[[0.0, 0.0], [99, 99]]] * 2))
    assert maps.shape == (3, 2, 2, 2, 4, 3)  # layers, images, keypoints, heads, rows, columns
    assert torch.allclose(maps.sum(dim=(-2, -1)), torch.ones(3, 2, 2, 2), atol=1e-5)
    assert isinstance(vit, ShowsAttention)


def test_layers_learn_the_slower_the_earlier_they_are(vit):
    assert isinstance(vit, HasLayers)
    groups = parameter_groups(vit, {"type": "AdamW", "lr": 1.0}, {}, layer_decay=0.5)
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert rates[id(vit.pos_embed)] == rates[id(vit.patch_embed.weight)] == 0.5**4
    assert [rates[id(block.mlp[0].bias)] for block in vit.blocks] == [0.5**3, 0.5**2, 0.5]
    assert rates[id(vit.last_norm.weight)] == 1.0


def test_layer_norms_have_the_original_s_epsilon(vit):
    assert {m.eps for m in vit.modules() if isinstance(m, nn.LayerNorm)} == {1e-6}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(arch="tiny"), "arch must be one of small, base, large, huge, not 'tiny'"),
        (dict(drop_path=1.0), "drop_path must be a share from 0 to below 1, not 1"),
        (dict(dim=-4), "dim must be at least 1"),
        (dict(mlp_ratio=0.0), "mlp_ratio must make at least 1 channel, not 0"),
        (dict(num_heads=5), "heads must divide the 16 channels of a token, 5 do not"),
        (dict(arch="small", weights="mae"), "weights='mae' exists for base, large, huge, not for"),
    ],
)
def test_values_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ViT((64, 48), **{**SMALL, **wrong})
