"""Published RTMPose: the original's weights give the original's outputs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dlcreg.models.published import list_published, load_published

PARAMETERS = {
    "rtmpose_t_256x192": 3_337_007,
    "rtmpose_s_256x192": 5_473_251,
    "rtmpose_m_256x192": 13_587_611,
    "rtmpose_l_256x192": 27_660_339,
    "rtmpose_m_384x288": 13_717_659,
    "rtmpose_l_384x288": 27_790_387,
    "rtmpose_m_ap10k_256x256": 13_624_475,
    "dlc_rtmpose_s": 5_384_670,
    "dlc_rtmpose_m": 13_436_310,
    "dlc_rtmpose_x": 49_179_046,
}
BACKBONES = {"t": 2_348_700, "s": 4_378_320, "m": 12_279_432, "l": 26_138_912}
NAMES = [*list_published("rtmpose_*"), *list_published("dlc_rtmpose_*")]


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("name", ["rtmpose_s_256x192", "rtmpose_m_256x192", "dlc_rtmpose_s"])
def test_outputs_are_the_original_s(original, name):
    file = original(name)
    model = load_published(name, file.state).eval()
    with torch.inference_mode():
        outputs = model(torch.tensor(file.inputs["0"]), mode="tensor")
    assert list(outputs) == ["x", "y"]
    for ours, theirs in zip(outputs.values(), file.outputs.values(), strict=True):
        assert np.abs(ours.numpy() - theirs).max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_names_and_numbers_of_parameters_are_the_published_ones(shared, name):
    with torch.device("meta"):
        model = load_published(name, None)
    assert count(model) == PARAMETERS[name]
    if name.startswith("rtmpose"):
        assert count(model.backbone) == BACKBONES[name[8]]
    file = shared / "golden" / "out" / f"{name}.json"
    rows = json.loads(file.read_text()).get("state_dict", []) if file.is_file() else []
    if rows:
        theirs = [
            (row[0].replace("heads.bodypart.", "head.").replace(".norm.", ".bn."), tuple(row[2]))
            for row in rows
        ]
        ours = [(key, tuple(value.shape)) for key, value in model.state_dict().items()]
        assert sorted(ours) == sorted(theirs)


def test_all_published_models_are_counted():
    assert set(PARAMETERS) == set(NAMES)


def test_another_number_of_keypoints_has_new_maps_and_loads_the_rest():
    state = load_published("rtmpose_t_256x192", None).state_dict()
    model = load_published("rtmpose_t_256x192", {"state_dict": state}, num_keypoints=5)
    assert model.head.final_layer.weight.shape == (5, 384, 7, 7)
    assert torch.equal(model.head.cls_x.weight, state["head.cls_x.weight"])
    assert model.flip_pairs == ()


def test_weights_of_a_backbone_load_from_a_whole_model(tmp_path):
    from dlcreg.models.backbones.cspnext import CSPNeXt

    whole = load_published("rtmpose_t_256x192", None)
    torch.save({"meta": {}, "state_dict": whole.state_dict()}, tmp_path / "rtmpose-t.pth")
    backbone = CSPNeXt(0.167, 0.375, weights=str(tmp_path / "rtmpose-t.pth"))
    wanted = whole.backbone.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in backbone.state_dict().items())
    part = CSPNeXt(0.167, 0.375, out_indices=(0, 1), weights=str(tmp_path / "rtmpose-t.pth"))
    assert torch.equal(part.stage2[0].conv.weight, wanted["stage2.0.conv.weight"])


def test_an_image_of_another_size_is_refused_with_both_sizes():
    with torch.device("meta"):
        model = load_published("rtmpose_t_256x192", None)
        images = torch.zeros(1, 3, 256, 256)
    message = (
        r"RTMCCHead is built for images of 256 x 192 \(input_size\), and gets one of 256 x 256"
    )
    with pytest.raises(ValueError, match=message):
        model(images)


def test_deeplabcut_s_scores_are_shares_of_a_sharp_softmax(label):
    model = load_published("dlc_rtmpose_s", None, num_keypoints=2).eval()
    codec = model.head.codec
    keypoints = torch.tensor([[[[40.0, 60.5], [200.0, 31.0]]]])
    targets = codec.encode(label(keypoints), (256, 256))
    poses = codec.decode({name: target for name, (target, _) in targets.items()}, (256, 256))
    assert torch.equal(poses.keypoints, keypoints)
    assert poses.scores.min() > 0.99
