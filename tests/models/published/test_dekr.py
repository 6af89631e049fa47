"""Published DEKR: the original's weights give the original's outputs."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

from dlcreg.errors import CheckpointError
from dlcreg.models.published import PUBLISHED, list_published, load_published

PARAMETERS = {
    "dekr_w32_coco_512": 29_561_182,
    "dekr_w48_coco_640": 65_684_590,
    "dekr_w32_crowdpose_512": 29_522_071,
    "dekr_w48_crowdpose_640": 65_634_631,
    "dlc_dekr_w18": 9_691_555,
    "dlc_dekr_w32": 29_495_997,
    "dlc_dekr_w48": 65_601_325,
}
BRANCH = re.compile(r"offset_\w+_layers?\.(\d+)\.")
FILES = ["dekr_w32_coco_512", "dlc_dekr_w18"]


@pytest.mark.parametrize("name", FILES)
def test_outputs_are_the_original_s(original, name):
    file = original(name)
    model = load_published(name, file.state).eval()
    with torch.inference_mode():
        outputs = model(torch.tensor(file.inputs["0"]), mode="tensor")
    assert list(outputs) == ["heatmap", "offset"]
    for ours, theirs in zip(outputs.values(), file.outputs.values(), strict=True):
        assert np.abs(ours.numpy() - theirs).max() < 1e-5


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_number_of_parameters_is_the_published_one(name):
    with torch.device("meta"):
        model = load_published(name, None)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]


def test_all_published_models_are_counted():
    assert set(PARAMETERS) == set(list_published("*dekr*"))


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("dekr_w48_coco_640", "dekr_w32_coco_512"),
        ("dekr_w48_crowdpose_640", "dekr_w32_coco_512"),
        ("dlc_dekr_w48", "dlc_dekr_w18"),
    ],
)
def test_models_without_a_file_have_the_names_of_those_with_one(shared, name, like):
    path = shared / "golden" / "out" / f"{like}.json"
    names = [row[0] for row in json.loads(path.read_text(encoding="utf-8"))["state_dict"]]
    count = PUBLISHED[name].num_keypoints
    branches = (int(found[1]) if (found := BRANCH.search(n)) else 0 for n in names)
    state = {n: torch.zeros(1) for n, branch in zip(names, branches) if branch < count}
    with torch.device("meta"):
        model = load_published(name, None)
    assert set(PUBLISHED[name].renamed(state)) == set(model.state_dict())


def test_another_number_of_keypoints_has_new_branches_and_loads_the_rest(original):
    state = original("dlc_dekr_w18").state
    model = load_published("dlc_dekr_w18", state, num_keypoints=5)
    assert model.head.offset[5].weight.shape == (10, 15, 1, 1)
    stem = state["backbone.model.conv1.weight"]
    assert torch.equal(model.backbone.conv1.weight, torch.tensor(stem))
    reduction = state["heads.bodypart.heatmap_head.transition_heatmap.0.weight"]
    assert torch.equal(model.head.heatmap[0].weight, torch.tensor(reduction))


def test_a_checkpoint_without_a_keypoint_s_branch_is_refused(original):
    state = dict(original("dlc_dekr_w18").state)
    state = {k: v for k, v in state.items() if "offset_final_layer.3." not in k}
    with pytest.raises(CheckpointError, match=r"head\.offset\.5\.weight"):
        load_published("dlc_dekr_w18", state)
