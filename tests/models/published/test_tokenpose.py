"""Published TokenPose: the original's weights give the original's outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dlcreg.errors import CheckpointError
from dlcreg.models.published import list_published, load_published

PARAMETERS = {
    "tokenpose_t_256x192": (5_865_600, 5_816_448),
    "tokenpose_s_v1_256x192": (6_669_888, 6_620_736),
    "tokenpose_s_v2_256x192": (6_374_976, 6_227_520),
    "tokenpose_b_256x192": (13_514_368, 13_465_216),
    "tokenpose_l_d24_256x192": (27_531_552, 27_482_400),
    "tokenpose_l_d24_384x288": (29_863_968, 29_808_672),
    "dlc_animaltokenpose_base": (34_515_766, 34_466_614),
}
WITH_OUTPUTS = [name for name in PARAMETERS if name != "tokenpose_l_d24_384x288"]


@pytest.mark.parametrize("name", WITH_OUTPUTS)
def test_outputs_are_the_original_s(original, name):
    file = original(name)
    model = load_published(name, file.state).eval()
    with torch.inference_mode():
        output = model(torch.tensor(file.inputs["0"]), mode="tensor")["heatmap"]
    (theirs,) = file.outputs.values()
    assert np.abs(output.numpy() - theirs).max() < 1e-5


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_numbers_of_parameters_are_the_published_ones(name):
    with torch.device("meta"):
        model = load_published(name, None)
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    total, trained = sum(n for n, _ in counts), sum(n for n, learns in counts if learns)
    assert (total, trained) == PARAMETERS[name]


def test_the_parts_of_animaltokenpose_have_the_original_s_numbers_of_parameters():
    with torch.device("meta"):
        model = load_published("dlc_animaltokenpose_base", None)
    backbone, head = (sum(p.numel() for p in m.parameters()) for m in (model.backbone, model.head))
    assert (backbone, head) == (29_305_536, 2_845_686 + 2_364_544)


def test_all_published_models_are_counted():
    assert set(PARAMETERS) == set(list_published("*tokenpose*"))


@pytest.mark.parametrize("name", PARAMETERS)
def test_layer_norms_have_the_original_s_epsilon(name):
    with torch.device("meta"):
        model = load_published(name, None)
    assert {m.eps for m in model.modules() if isinstance(m, nn.LayerNorm)} == {1e-5}


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    """A checkpoint of an original TokenPose-T of 17 keypoints and one layer's weights, random."""
    torch.manual_seed(0)
    head = load_published("tokenpose_t_256x192", None).head.state_dict()
    names = {
        "attention.qkv": "0.fn.fn.to_qkv",
        "attention.out": "0.fn.fn.to_out.0",
        "mlp.0": "1.fn.fn.net.0",
        "mlp.2": "1.fn.fn.net.3",
        "norm1": "0.fn.norm",
        "norm2": "1.fn.norm",
        "transformers.0": "transformer.layers",
    }
    found = {}
    for name, tensor in head.items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        found[f"transformer.{name}"] = tensor
    found["transformer.keypoint_token"] = found["transformer.keypoint_token"][None]
    return found


def test_another_number_of_keypoints_has_new_tokens_and_loads_the_rest(state):
    model = load_published("tokenpose_t_256x192", state, num_keypoints=5)
    assert model.head.keypoint_token.shape == (5, 192)
    weight = model.head.transformers[0][11].attention.qkv.weight
    assert torch.equal(weight, state["transformer.transformer.layers.11.0.fn.fn.to_qkv.weight"])
    assert torch.equal(model.head.mlp_head[3].bias, state["transformer.mlp_head.3.bias"])
    assert model.flip_pairs == ()


def test_the_number_of_keypoints_is_the_checkpoint_s(state):
    tokens = torch.zeros(1, 20, 192)
    model = load_published("tokenpose_t_256x192", {**state, "transformer.keypoint_token": tokens})
    assert model.head.num_keypoints == 20


def test_a_checkpoint_whose_positions_were_learnt_is_refused(state):
    learnt = {**state, "transformer.pos_embedding": torch.rand(1, 256, 192)}
    with pytest.raises(CheckpointError, match=r"transformer\.pos_embedding holds positions that"):
        load_published("tokenpose_t_256x192", learnt)


def test_a_checkpoint_without_tokens_is_refused():
    with pytest.raises(CheckpointError, match=r"no transformer\.keypoint_token"):
        load_published("tokenpose_t_256x192", {"conv1.weight": torch.zeros(1)})
