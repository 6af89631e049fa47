"""Published models of DeepLabCut: the original's weights give the original's outputs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dlcreg.errors import CheckpointError, ConfigError
from dlcreg.models.published import PUBLISHED, list_published, load_published

# all parameters, and those that learn
PARAMETERS = {
    "dlc_dlcrnet_stride16_ms5": (35_408_416, 35_352_736),
    "dlc_dlcrnet_stride32_ms5": (42_685_024, 42_629_344),
    "dlc_hrnet_w18_bu_multi_paf": (11_731_652, 11_731_652),
    "dlc_hrnet_w18_bu_single": (9_568_128, 9_568_128),
    "dlc_hrnet_w18_td": (9_562_944, 9_562_944),
    "dlc_hrnet_w32_bu_multi_paf": (31_512_224, 31_512_224),
    "dlc_hrnet_w32_bu_single": (29_315_940, 29_315_940),
    "dlc_hrnet_w32_td": (29_306_724, 29_306_724),
    "dlc_hrnet_w48_bu_multi_paf": (67_574_432, 67_574_432),
    "dlc_hrnet_w48_bu_single": (65_340_708, 65_340_708),
    "dlc_hrnet_w48_td": (65_326_884, 65_326_884),
    "dlc_resnet_50_bu_multi_paf": (31_085_344, 31_085_344),
    "dlc_resnet_50_bu_single": (24_171_620, 24_171_620),
    "dlc_resnet_50_td": (23_581_796, 23_581_796),
    "dlc_resnet_101_bu_multi_paf": (50_077_472, 50_077_472),
    "dlc_resnet_101_bu_single": (43_163_748, 43_163_748),
    "dlc_resnet_101_td": (42_573_924, 42_573_924),
    "dlcrnet_ms5_tensorflow_stride8": (34_695_336, 34_695_336),
    "dlcrnet_ms5_tensorflow_stride4": (31_552_808, 31_552_808),
}
VARIABLES = {  # with the statistics of batch normalisation, as TensorFlow counts them
    "dlcrnet_ms5_tensorflow_stride8": 34_751_016,
    "dlcrnet_ms5_tensorflow_stride4": 31_608_488,
}
MAPS = {  # cells along each side, from an image of 448
    "dlc_dlcrnet_stride32_ms5": 115,
    "dlc_resnet_50_bu_multi_paf": 113,
    "dlc_resnet_101_bu_single": 57,
    "dlc_hrnet_w18_bu_single": 225,
    "dlc_hrnet_w18_bu_multi_paf": 449,
    "dlc_hrnet_w18_td": 112,
}


def _on_meta(name: str) -> torch.nn.Module:
    with torch.device("meta"):
        return load_published(name, None).eval()


@pytest.mark.parametrize(
    "name",
    [
        "dlc_dlcrnet_stride16_ms5",
        "dlc_hrnet_w18_td",
        "dlc_resnet_50_bu_multi_paf",
        "dlc_resnet_50_bu_single",
        "dlcrnet_ms5_tensorflow_stride4",
        "dlcrnet_ms5_tensorflow_stride8",
    ],
)
def test_outputs_are_the_original_s(original, name):
    file = original(name)
    model = load_published(name, file.state).eval()
    with torch.inference_mode():
        outputs = model(torch.tensor(file.inputs["0"]), mode="tensor")
    theirs = {value.shape[1]: value for value in file.outputs.values()}  # by number of channels
    assert list(outputs) == ["heatmap", "locref", "paf"][: len(theirs)]
    assert [outputs[name].shape[1] for name in outputs] == sorted(theirs)
    for value in outputs.values():
        assert np.abs(value.numpy() - theirs[value.shape[1]]).max() < 1e-4


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_numbers_of_parameters_are_the_published_ones(name):
    model = _on_meta(name)
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    assert (sum(n for n, _ in counts), sum(n for n, learns in counts if learns)) == PARAMETERS[name]
    if name in VARIABLES:
        statistics = sum(b.numel() for k, b in model.named_buffers() if ".running_" in k)
        assert sum(n for n, _ in counts) + statistics == VARIABLES[name]


def test_all_published_models_are_counted():
    assert set(PARAMETERS) <= set(list_published())


@pytest.mark.parametrize("name", MAPS)
def test_maps_have_the_original_s_size_and_the_codec_knows(name):
    model = _on_meta(name)
    cells = (MAPS[name], MAPS[name])
    outputs = model(torch.zeros(1, 3, 448, 448, device="meta"))
    assert {tuple(value.shape[2:]) for value in outputs.values()} == {cells}
    assert model.head.codec.map_size((448, 448)) == cells


@pytest.fixture
def names_of(shared):
    """The original names of a golden file's tensors that begin with a prefix."""

    def read(name: str, prefix: str) -> list[str]:
        file = shared / "golden" / "out" / f"{name}.json"
        rows = json.loads(file.read_text())["state_dict"]
        return [row[0] for row in rows if row[0].startswith(prefix)]

    return read


@pytest.mark.parametrize("part", ["bu_single", "bu_multi_paf", "td"])
def test_names_of_other_widths_are_mapped_as_a_whole(names_of, part):
    head_of = {"bu_single": "resnet_50_bu_single", "bu_multi_paf": "dlcrnet_stride16_ms5"}
    names = names_of("dlc_hrnet_w18_td", "backbone.")
    names += names_of(f"dlc_{head_of.get(part, 'hrnet_w18_td')}", "heads.")
    _check_names(f"dlc_hrnet_w48_{part}", names)


def test_two_transposed_convolutions_are_mapped(names_of):
    names = names_of("dlc_dlcrnet_stride16_ms5", "")
    names += [name.replace("layers.0", "layers.2") for name in names if "deconv_layers" in name]
    _check_names("dlc_dlcrnet_stride32_ms5", names)


def _check_names(name: str, theirs: list[str]) -> None:
    ours = set(_on_meta(name).state_dict()) - {"head.codec.kept_edges"}
    assert set(PUBLISHED[name].renamed(dict.fromkeys(theirs))) == ours


def test_tensorflow_s_variables_may_have_torch_s_axes_already(original):
    file = original("dlcrnet_ms5_tensorflow_stride8")
    convert = PUBLISHED["dlcrnet_ms5_tensorflow_stride8"].renamed
    theirs = {k: torch.as_tensor(v) for k, v in file.state.items() if "conv1" in k}
    torch_s = {k: torch.as_tensor(file.torch_state[k]) for k in theirs}
    for name, value in convert(theirs).items():
        assert torch.equal(value, convert(torch_s)[name])


@pytest.fixture(scope="module")
def snapshot() -> dict[str, torch.Tensor]:
    """A snapshot of DeepLabCut's HRNet-W18 for crops of 4 keypoints, random."""
    torch.manual_seed(0)
    state = load_published("dlc_hrnet_w18_td", None, num_keypoints=4).state_dict()
    for ours, theirs in (
        ("backbone.", "backbone.model."),
        ("head.final_layer.", "heads.bodypart.heatmap_head.final_conv."),
        ("head.further_layers.locref.", "heads.bodypart.locref_head.final_conv."),
    ):
        state = {k.replace(ours, theirs): v for k, v in state.items()}
    return state


def test_a_snapshot_says_its_number_of_keypoints(snapshot):
    model = load_published("dlc_hrnet_w18_td", {"metadata": {}, "model": snapshot})
    assert model.head.num_keypoints == 4
    theirs = snapshot["heads.bodypart.locref_head.final_conv.bias"]
    assert torch.equal(model.head.further_layers.locref.bias, theirs)


def test_another_number_of_keypoints_has_new_last_layers_and_loads_the_rest(snapshot):
    model = load_published("dlc_hrnet_w18_td", snapshot, num_keypoints=7)
    assert model.head.further_layers.locref.out_channels == 14
    assert torch.equal(model.backbone.conv1.weight, snapshot["backbone.model.conv1.weight"])


def test_a_snapshot_of_another_model_is_refused(snapshot):
    with pytest.raises(CheckpointError, match=r"has no heads\.bodypart\.convt1\.bias"):
        load_published("dlc_dlcrnet_stride16_ms5", snapshot)


def test_a_snapshot_whose_limbs_were_drawn_at_random_needs_its_graph():
    name = "dlc_dlcrnet_stride16_ms5"
    state = {"heads.bodypart.convt1.bias": torch.zeros(15)}
    with pytest.raises(ConfigError, match=r"of 15 keypoints DeepLabCut draws some limbs at random"):
        load_published(name, state)
    codec = {"type": "PartAffinityFields", "graph": [(i, i + 1) for i in range(14)]}
    with pytest.raises(
        CheckpointError, match="missing"
    ):  # the graph is taken, the rest is not there
        load_published(name, state, codec=codec)


@pytest.mark.parametrize("name", ["dlc_resnet_50_bu_multi_paf", "dlcrnet_ms5_tensorflow_stride8"])
def test_a_model_of_several_animals_trains_and_predicts_on_uint8_images(name, label):
    torch.manual_seed(0)
    model = load_published(name, None, num_keypoints=3)
    images = torch.randint(0, 256, (1, 3, 75, 101), dtype=torch.uint8)
    animals = torch.tensor([[10.0, 10.0], [30.0, 20.0], [40.0, 50.0]]).expand(1, 2, 3, 2)
    losses = model(images, mode="loss", instances=label(animals))
    assert set(losses) == {"heatmap", "locref", "paf"}
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    with torch.inference_mode():
        poses = model.eval()(images, mode="predict")
    assert poses.keypoints.shape[2:] == (3, 2)
    assert poses.keypoints.shape[1] <= 3
