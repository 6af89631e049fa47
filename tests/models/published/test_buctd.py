"""Published BUCTD: the original's weights and condition give the original's outputs."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch

from dlcreg.builder.costs import operation_counter
from dlcreg.models.published import PUBLISHED, list_published, load_published

# parameters, those that learn, GMAC
FIGURES = {
    "buctd_coam_w32_coco_colored_384x288": (79_948_959, 79_948_959, 22.925),
    "buctd_coam_w32_coco_stacked_384x288": (79_992_623, 79_992_623, 23.010),
    "buctd_coam_w48_allstages_colored_384x288": (218_523_629, 218_523_629, 60.872),
    "buctd_coam_w48_channelonly_colored_384x288": (114_998_369, 114_998_369, 38.464),
    "buctd_coam_w48_coco_colored_384x288": (115_581_917, 115_581_917, 44.271),
    "buctd_coam_w48_coco_stacked_384x288": (115_636_559, 115_636_559, 44.375),
    "buctd_coam_w48_crowdpose_stacked_384x288": (115_623_812, 115_623_812, 44.349),
    "buctd_prenet_w32_coco_colored_384x288": (28_547_900, 28_547_900, 18.482),
    "buctd_prenet_w48_coco_colored_384x288": (63_607_532, 63_607_532, 36.587),
    "buctd_transpose_h_w48_coco_colored_384x288": (18_052_849, 17_278_705, 88.444),
    "dlc_ctd_coam_w32": (47_687_384, 47_687_384, 12.473),
    "dlc_ctd_coam_w48": (84_286_248, 84_286_248, 24.643),
    "dlc_ctd_coam_w48_human": (117_355_392, 117_355_392, 44.799),
    "dlc_ctd_prenet_hrnet_w32": (29_319_834, 29_262_350, 11.157),
    "dlc_ctd_prenet_hrnet_w48": (65_339_994, 65_255_758, 22.033),
    "dlc_ctd_prenet_rtmpose_m": (13_449_420, 13_449_280, 3.383),
    "dlc_ctd_prenet_rtmpose_s": (5_397_780, 5_397_640, 1.732),
    "dlc_ctd_prenet_rtmpose_x": (49_192_156, 49_192_016, 24.729),
    "dlc_ctd_prenet_rtmpose_x_human": (49_259_524, 49_259_384, 18.597),
}
ALIKE = {
    "buctd_coam_w32_coco_stacked_384x288",
    "buctd_coam_w48_coco_colored_384x288",
    "buctd_coam_w48_crowdpose_stacked_384x288",
    "buctd_prenet_w48_coco_colored_384x288",
    "dlc_ctd_coam_w48",
    "dlc_ctd_prenet_hrnet_w48",
    "dlc_ctd_prenet_rtmpose_m",
    "dlc_ctd_prenet_rtmpose_x",
}
SMALL = ["buctd_prenet_w32_coco_colored_384x288", "dlc_ctd_prenet_rtmpose_s"]
LARGE = [
    "buctd_coam_w32_coco_colored_384x288",
    "buctd_coam_w48_coco_colored_384x288",
    "buctd_coam_w48_coco_stacked_384x288",
    "dlc_ctd_prenet_hrnet_w32",
]
ALL = "buctd_coam_w32_coco_colored_384x288", "dlc_ctd_coam_w32", "dlc_ctd_prenet_hrnet_w32"


@functools.cache
def _on_meta(name: str) -> torch.nn.Module:
    with torch.device("meta"):
        return load_published(name, None).eval()


@pytest.mark.parametrize(
    "name", [*SMALL, ALL[1], *(pytest.param(name, marks=pytest.mark.exhaustive) for name in LARGE)]
)
def test_outputs_are_the_original_s_of_keypoints_as_of_the_drawn_map(original, name):
    file = original(name)
    model = load_published(name, file.state).eval()
    if "cond_keypoints" in file.meta:
        keypoints = torch.tensor(file.meta["cond_keypoints"][0])
    else:
        points = torch.tensor(file.meta["condition_points"])
        keypoints = torch.cat([points, torch.ones(len(points), 1)], dim=1)[None]
    drawn = torch.tensor(file.inputs["condition"])
    assert (model.backbone.encoder(keypoints, drawn.shape[-2:]) - drawn).abs().max() < 1e-3
    with torch.inference_mode():
        outputs = model(torch.tensor(file.inputs["0"]), condition=drawn)
    assert len(outputs) == len(file.outputs)
    for ours, theirs in zip(outputs.values(), file.outputs.values()):
        # rows of RTMPose reach 30, where float32 itself is known to 1e-4
        bound = 1e-4 * max(1.0, float(np.abs(theirs).max()) / 10)
        assert np.abs(ours.numpy() - theirs).max() < bound


@pytest.mark.parametrize("name", FIGURES)
def test_numbers_of_parameters_and_operations_are_the_published_ones(name):
    model = _on_meta(name)
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    total, learns, gmac = FIGURES[name]
    assert (sum(n for n, _ in counts), sum(n for n, learnt in counts if learnt)) == (total, learns)
    if name in ALIKE:  # in all but the width or the size, which the parameters tell
        return
    size, counter = PUBLISHED[name].input_size, operation_counter()
    drawn = torch.zeros(1, model.backbone.encoder.out_channels, *size, device="meta")
    with counter, torch.no_grad():
        model(torch.zeros(1, 3, *size, device="meta"), condition=drawn)
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmac, abs=6e-4)


def test_all_published_models_are_counted():
    assert set(FIGURES) == {*list_published("buctd_*"), *list_published("dlc_ctd_*")}


def test_the_prenet_adds_11787_parameters():
    with_it, without = (
        sum(p.numel() for p in _on_meta(name).parameters())
        for name in ("buctd_prenet_w32_coco_colored_384x288", "hrnet_w32_384x288")
    )
    assert with_it - without == 11_787


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("buctd_coam_w48_coco_stacked_384x288", ALL[0]),
        ("buctd_coam_w48_crowdpose_stacked_384x288", ALL[0]),
        ("buctd_prenet_w48_coco_colored_384x288", SMALL[0]),
        ("dlc_ctd_coam_w48_human", ALL[1]),
        ("dlc_ctd_prenet_hrnet_w48", ALL[2]),
        (ALL[2], ALL[2]),
        (ALL[0], ALL[0]),
    ],
)
def test_models_of_other_widths_have_the_names_of_those_with_a_file(shared, name, like):
    path = shared / "golden" / "out" / f"{like}.json"
    theirs = [row[0] for row in json.loads(path.read_text(encoding="utf-8"))["state_dict"]]
    assert set(PUBLISHED[name].renamed(dict.fromkeys(theirs))) == set(_on_meta(name).state_dict())


def test_attention_at_other_positions_and_on_channels_alone_is_mapped():
    name = "buctd_coam_w48_allstages_colored_384x288"
    theirs = []
    for position, branches in ((1, 3), (2, 4), (3, 1)):
        for branch in range(branches):
            block = f"stage{position + 1}_att.att_layers.{branch}."
            parts = ["cnn", "cnn_cond", "pa.fc_q", "pa.fc_k", "pa.fc_v", "pa.fc_o"]
            theirs += [f"{block}position_attention_module.{part}.weight" for part in parts]
            parts = ["cnn", "cnn_cond", "pa.fc_o"]
            theirs += [f"{block}channel_attention_module.{part}.weight" for part in parts]
    ours = {key for key in _on_meta(name).state_dict() if "attention" in key and "weight" in key}
    assert set(PUBLISHED[name].renamed(dict.fromkeys(theirs))) == ours


def test_another_number_of_keypoints_has_new_layers_for_the_condition_and_loads_the_rest():
    state = load_published(SMALL[1], None, num_keypoints=4).state_dict()
    theirs = {
        key.replace("backbone.image.", "backbone.rgb_preNet.")
        .replace("backbone.condition.", "backbone.cond_preNet.")
        .replace("head.", "heads.bodypart."): value
        for key, value in state.items()
    }
    model = load_published(SMALL[1], theirs, num_keypoints=6)
    assert model.backbone.condition[0].weight.shape[1] == 6
    assert torch.equal(model.backbone.image[0].weight, state["backbone.image.0.weight"])
