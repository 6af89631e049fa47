"""Published ViTPose: the original's weights give the original's outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcreg.models.published import list_published, load_published

PARAMETERS = {
    "vitpose_small_256x192": (21_663_744, 2_626_833),
    "vitpose_base_256x192": (85_794_816, 4_199_697),
    "vitpose_large_256x192": (303_296_512, 5_248_273),
    "vitpose_huge_256x192": (630_912_000, 6_296_849),
    "vitpose_small_simple_256x192": (21_663_744, 2_626_833),
    "vitpose_base_simple_256x192": (85_794_816, 117_521),
    "vitpose_large_simple_256x192": (303_296_512, 156_689),
    "vitpose_huge_simple_256x192": (630_912_000, 195_857),
}


@pytest.mark.parametrize("name", ["vitpose_small_256x192", "vitpose_base_simple_256x192"])
def test_outputs_are_the_original_s(original, name):
    file = original(name)
    model = load_published(name, file.state).eval()
    with torch.inference_mode():
        output = model(torch.tensor(file.inputs["0"]), mode="tensor")["heatmap"]
    (theirs,) = file.outputs.values()
    assert np.abs(output.numpy() - theirs).max() < 2e-5


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_numbers_of_parameters_are_the_published_ones(name):
    with torch.device("meta"):
        model = load_published(name, None)
    parts = (sum(p.numel() for p in m.parameters()) for m in (model.backbone, model.head))
    assert tuple(parts) == PARAMETERS[name]


def test_all_published_models_are_counted():
    assert set(PARAMETERS) == set(list_published("vitpose_*"))
