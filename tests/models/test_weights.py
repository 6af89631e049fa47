"""Files of weights: every wrapper is opened, everything that does not fit is told."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dlcreg.errors import CheckpointError
from dlcreg.models.weights import load_state, read_state, rename


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {f"module.{k}": v for k, v in state.items()},
        lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
    ],
)
def test_wrappers_and_prefixes_of_a_checkpoint_are_taken_off(tmp_path, wrap):
    state = nn.Linear(2, 3).state_dict()
    torch.save(wrap(state), tmp_path / "w.pth")
    read = read_state(tmp_path / "w.pth")
    assert set(read) == {"weight", "bias"}
    assert torch.equal(read["weight"], state["weight"])


def test_arrays_are_taken_as_tensors():
    assert torch.equal(read_state({"a": np.ones((2, 2), np.float32)})["a"], torch.ones(2, 2))


class Evil:
    def __reduce__(self):
        return print, ("this must not run",)


def test_a_file_that_would_run_code_is_refused(tmp_path, capsys):
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        read_state(tmp_path / "evil.pth")
    assert "must not run" not in capsys.readouterr().out


def test_safetensors_are_read(tmp_path):
    state = nn.Linear(2, 3).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    read = read_state(tmp_path / "w.safetensors")
    assert torch.equal(read["weight"], state["weight"])


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\x80\x02garbage"])
@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors"])
def test_a_broken_file_is_named(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name} cannot be read as weights") as caught:
        read_state(path)
    assert "weights_only" not in str(caught.value)  # torch advises to run what the file holds


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "cut.pth"
    torch.save(nn.Linear(100, 100).state_dict(), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"cut\.pth"):
        read_state(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="there is no file"):
        read_state(tmp_path / "none.pth")


@pytest.mark.parametrize("content", [{"epoch": 3}, {}])
def test_a_file_without_tensors_says_what_it_has(content):
    with pytest.raises(CheckpointError, match="holds no tensors by name"):
        read_state(content)


def test_a_file_that_holds_one_tensor_is_refused(tmp_path):
    torch.save(torch.zeros(3), tmp_path / "one.pth")
    with pytest.raises(CheckpointError, match="holds a Tensor, not tensors by name"):
        read_state(tmp_path / "one.pth")


def test_what_does_not_fit_is_listed_and_nothing_is_loaded():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = {"0.weight": torch.zeros(3, 9), "0.bias": torch.zeros(3), "head.x": torch.zeros(1)}
    with pytest.raises(CheckpointError) as error:
        load_state(model, state, name="w.pth")
    assert str(error.value) == (
        "w.pth does not fit Sequential:\n"
        "  2 missing: 1.bias, 1.weight\n"
        "  1 unexpected: head.x\n"
        "  1 of another shape: 0.weight (3, 9), the model has (3, 2)"
    )
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_new_parts_keep_their_values_and_ignored_ones_are_left_out():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    fresh = model[1].weight.clone()
    state = {"0.weight": torch.ones(3, 2), "0.bias": torch.ones(3), "fc.weight": torch.ones(9)}
    load_state(model, state, name="w", ignore=["fc."], new=["1."])
    assert torch.equal(model[0].weight, torch.ones(3, 2))
    assert torch.equal(model[1].weight, fresh)


def test_counters_that_old_files_lack_are_no_mistake():
    model = nn.BatchNorm2d(3)
    state = {k: v for k, v in model.state_dict().items() if k != "num_batches_tracked"}
    load_state(model, state, name="old")


def test_the_longest_prefix_that_fits_is_replaced():
    state = {"conv.w": 1, "head.w": 2, "head.final.w": 3}
    renamed = rename(state, {"": "backbone.", "head.": "h.", "head.final.": "f."})
    assert renamed == {"backbone.conv.w": 1, "h.w": 2, "f.w": 3}
