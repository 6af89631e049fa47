"""Published TransPose: the original's weights give the original's outputs, at any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcreg.errors import CheckpointError
from dlcreg.models.layers.sine_position import sine_positions
from dlcreg.models.published import list_published, load_published

PARAMETERS = {
    "transpose_r_a3_256x192": (5_195_345, 4_998_737),
    "transpose_r_a4_256x192": (5_985_105, 5_788_497),
    "transpose_h_s_256x192": (8_019_281, 7_822_673),
    "transpose_h_a4_256x192": (17_306_129, 17_011_217),
    "transpose_h_a5_256x192": (17_380_913, 17_086_001),
    "transpose_h_a6_256x192": (17_455_697, 17_160_785),
}


@pytest.fixture(scope="module")
def original_state() -> dict[str, torch.Tensor]:
    """A checkpoint of an original TransPose-R-A3 for 17 keypoints, random."""
    torch.manual_seed(0)
    state = load_published("transpose_r_a3_256x192", None).state_dict()
    renamed = {k.replace("neck.layers.", "global_encoder.layers."): v for k, v in state.items()}
    for prefix in ("backbone.", "neck.", "head."):
        renamed = {k.removeprefix(prefix): v for k, v in renamed.items()}
    return {"pos_embedding": sine_positions(32, 24, 256)[:, None], **renamed}


@pytest.mark.parametrize("name", ["r_a3", "h_s", "h_a4"])
def test_outputs_are_the_original_s(original, name):
    file = original(f"transpose_{name}_256x192")
    model = load_published(f"transpose_{name}_256x192", file.state).eval()
    with torch.inference_mode():
        output = model(torch.tensor(file.inputs["0"]), mode="tensor")["heatmap"]
    (theirs,) = file.outputs.values()
    assert np.abs(output.numpy() - theirs).max() < 1e-5


@pytest.mark.parametrize("name", list_published("transpose_*"))
def test_the_numbers_of_parameters_are_the_published_ones(name):
    with torch.device("meta"):
        model = load_published(name, None)
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    total, trained = sum(n for n, _ in counts), sum(n for n, learns in counts if learns)
    assert (total, trained) == PARAMETERS[name]


def test_all_published_models_are_counted():
    assert set(PARAMETERS) == set(list_published("transpose_*"))


def test_a_checkpoint_of_another_input_size_loads(original_state):
    other = {**original_state, "pos_embedding": sine_positions(48, 36, 256)[:, None]}
    model = load_published("transpose_r_a3_256x192", other)
    assert torch.equal(model.neck.positions.table, sine_positions(32, 24, 256))
    assert torch.equal(model.neck.reduce.weight, original_state["reduce.weight"])


def test_a_checkpoint_whose_positions_were_learnt_is_refused(original_state):
    learnt = {**original_state, "pos_embedding": torch.rand(768, 1, 256)}
    with pytest.raises(CheckpointError, match="pos_embedding holds positions that were learnt"):
        load_published("transpose_r_a3_256x192", learnt)


def test_another_number_of_keypoints_has_a_new_last_layer_and_loads_the_rest(original_state):
    model = load_published("transpose_r_a3_256x192", original_state, num_keypoints=5)
    assert model.head.final_layer.out_channels == 5
    assert torch.equal(
        model.neck.layers[2].linear1.weight,
        original_state["global_encoder.layers.2.linear1.weight"],
    )


def test_an_image_of_an_odd_size_trains_and_predicts(original_state, label):
    model = load_published("transpose_r_a3_256x192", original_state, num_keypoints=3)
    images = torch.randint(0, 256, (1, 3, 75, 101), dtype=torch.uint8)
    losses = model(images, mode="loss", instances=label(torch.full((1, 1, 3, 2), 30.0)))
    sum(losses.values()).backward()
    assert model.backbone.conv1.weight.grad.isfinite().all()
    poses = model.eval()(images, mode="predict", flip_test=True)
    assert poses.keypoints.shape == (1, 1, 3, 2)
