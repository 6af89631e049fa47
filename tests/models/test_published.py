"""Published models: the original's weights give the original's outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcreg.errors import CheckpointError, ConfigError
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.published import list_published, load_published, published_config
from dlcreg.solvers.losses.huber import HuberLoss
from dlcreg.solvers.losses.mse import MSELoss

PARAMETERS = {
    "hrnet_w18": 9_318_215,
    "hrnet_w32": 28_536_113,
    "hrnet_w48": 63_595_745,
    "simplebaseline_r50": 33_999_697,
    "simplebaseline_r101": 52_991_825,
    "simplebaseline_r152": 68_635_473,
}


@pytest.fixture(scope="module")
def tiny_state() -> dict[str, torch.Tensor]:
    """A checkpoint of an original HRNet-W18 for 17 keypoints, random."""
    torch.manual_seed(0)
    state = load_published("hrnet_w18_256x192", None).state_dict()
    return {k.removeprefix("backbone.").removeprefix("head."): v for k, v in state.items()}


@pytest.mark.parametrize(
    "name",
    [
        "hrnet_w18_256x192",
        "hrnet_w32_256x192",
        "simplebaseline_r50_256x192",
        "simplebaseline_r152_256x192",
    ],
)
def test_outputs_are_the_original_s(original, name):
    file = original(name)
    model = load_published(name, file.state).eval()
    with torch.inference_mode():
        output = model(torch.tensor(file.inputs["0"]), mode="tensor")["heatmap"]
    (theirs,) = file.outputs.values()
    assert np.abs(output.numpy() - theirs).max() < 1e-4


@pytest.mark.parametrize(
    "name", [n for n in list_published() if n.rpartition("_")[0] in PARAMETERS]
)
def test_the_number_of_parameters_is_the_published_one(name):
    with torch.device("meta"):
        model = load_published(name, None)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name.rpartition("_")[0]]


def test_names_can_be_listed_by_pattern():
    assert list_published("hrnet_w32*") == [
        "hrnet_w32_256x192",
        "hrnet_w32_256x256",
        "hrnet_w32_384x288",
    ]
    assert len(list_published("hrnet*")) == 9
    assert set(list_published("hrnet*")) < set(list_published())


def test_another_number_of_keypoints_has_a_new_last_layer_and_loads_the_rest(tiny_state):
    model = load_published("hrnet_w18_256x192", tiny_state, num_keypoints=5)
    assert model.head.final_layer.weight.shape == (5, 18, 1, 1)
    assert torch.equal(model.backbone.conv1.weight, tiny_state["conv1.weight"])
    assert model.flip_pairs == ()


def test_the_number_of_keypoints_is_the_checkpoint_s_where_none_is_given(tiny_state):
    state = dict(tiny_state)
    state["final_layer.weight"] = torch.zeros(16, 18, 1, 1)
    state["final_layer.bias"] = torch.zeros(16)
    model = load_published("hrnet_w18_256x256", {"state_dict": state})
    assert model.head.num_keypoints == 16
    assert model.flip_pairs == ()


def test_a_published_model_can_be_given_another_codec(tiny_state):
    codec = GaussianHeatmap(locref_std=7.2801)
    losses = {"heatmap": MSELoss(), "locref": HuberLoss()}
    model = load_published("hrnet_w18_256x192", tiny_state, codec=codec, losses=losses)
    assert torch.equal(model.head.final_layer.bias, tiny_state["final_layer.bias"])
    assert set(model(torch.zeros(1, 3, 64, 64))) == {"heatmap", "locref"}


def test_a_published_model_trains_and_predicts_on_uint8_images(tiny_state, label):
    model = load_published("hrnet_w18_256x192", tiny_state, num_keypoints=3)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    losses = model(images, mode="loss", instances=label(torch.full((2, 1, 3, 2), 30.0)))
    sum(losses.values()).backward()
    assert model.backbone.conv1.weight.grad.isfinite().all()
    poses = model(images, mode="predict", flip_test=True)
    assert poses.keypoints.shape == (2, 1, 3, 2)


def test_files_are_read(tmp_path, tiny_state):
    path = tmp_path / "w18.pth"
    torch.save({f"module.{k}": v for k, v in tiny_state.items()}, path)
    model = load_published("hrnet_w18_384x288", path)
    assert torch.equal(model.backbone.conv1.weight, tiny_state["conv1.weight"])
    assert model.head.codec.sigma == 3.0


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(ConfigError, match=r"Did you mean 'hrnet_w32_256x192'\?"):
        load_published("hrnet_w32_256x193", None)


def test_a_name_without_its_size_is_answered_with_all_sizes():
    with pytest.raises(ConfigError, match=r"mean 'hrnet_w32_256x192' or 'hrnet_w32_256x256' or "):
        load_published("hrnet_w32", None)


def test_a_model_of_no_keypoint_is_refused():
    with pytest.raises(ConfigError, match=r"num_keypoints=0: give 1 or more, or None\."):
        load_published("hrnet_w18_256x192", None, num_keypoints=0)


def test_weights_that_are_no_numbers_are_refused(tiny_state):
    spoilt = {**tiny_state, "conv1.weight": torch.full_like(tiny_state["conv1.weight"], np.nan)}
    message = r"1 with NaN or infinite values: backbone\.conv1\.weight"
    with pytest.raises(CheckpointError, match=message):
        load_published("hrnet_w18_256x192", spoilt)


def test_a_checkpoint_of_another_model_is_refused_with_the_list(tiny_state):
    with pytest.raises(CheckpointError, match="does not fit PoseModel") as error:
        load_published("hrnet_w32_256x192", tiny_state)
    assert "of another shape" in str(error.value)
    with pytest.raises(CheckpointError, match="missing"):
        load_published("simplebaseline_r50_256x192", tiny_state)


def test_a_checkpoint_without_a_last_layer_is_refused():
    with pytest.raises(CheckpointError, match=r"no final_layer\.weight"):
        load_published("hrnet_w18_256x192", {"conv1.weight": torch.zeros(1)})


def test_a_published_model_knows_where_its_parts_come_from():
    with torch.device("meta"):
        model = load_published("simplebaseline_r50_256x192", None)
    assert model.backbone.dlcreg_part.name == "ResNet"
    assert model.head.codec.dlcreg_part.distribution == "dlcreg"
    assert model.normalise.channel_order == "BGR"


def test_the_config_of_a_published_model_can_be_changed_freely():
    config = published_config("hrnet_w32_256x192")
    config["backbone"]["width"] = 99
    assert published_config("hrnet_w32_256x192")["backbone"]["width"] == 32


def test_parts_that_do_not_fit_are_told_with_their_place():
    with pytest.raises(ConfigError, match=r"model\.head\.losses: HeatmapHead: losses has"):
        load_published("hrnet_w18_256x192", None, codec={"type": "PlateauHeatmap"})
