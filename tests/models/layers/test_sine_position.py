"""The code of positions is the originals', and stretches with the map."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcreg.models.layers.sine_position import sine_positions


@pytest.mark.parametrize(
    ("name", "size"), [("transpose_r_a3_256x192", (32, 24)), ("transpose_h_a4_256x192", (64, 48))]
)
def test_the_code_is_transpose_s(shared, name, size):
    with np.load(shared / "golden" / "out" / f"{name}.npz") as file:
        theirs = file["kept/pos_embedding"][:, 0]
    ours = sine_positions(*size, theirs.shape[-1])
    assert ours.shape == theirs.shape
    assert np.abs(ours.numpy() - theirs).max() < 1e-6


def test_every_cell_of_an_odd_map_has_its_own_code():
    code = sine_positions(7, 5, 16)
    assert code.shape == (35, 16)
    assert torch.cdist(code, code).fill_diagonal_(1).min() > 0.05


def test_rows_fill_the_first_half_and_columns_the_second():
    code = sine_positions(6, 4, 8).view(6, 4, 8)
    assert torch.equal(code[:, 0, :4], code[:, 3, :4])
    assert torch.equal(code[0, :, 4:], code[5, :, 4:])


def test_the_end_of_a_side_has_the_same_code_in_maps_of_all_sizes():
    small, large = sine_positions(4, 3, 8), sine_positions(40, 31, 8)
    assert torch.allclose(small[-1], large[-1], atol=1e-5)


def test_the_code_can_be_made_without_values_and_in_another_precision():
    assert sine_positions(3, 3, 4, device="meta").device.type == "meta"
    assert sine_positions(3, 3, 4, dtype=torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize("channels", [0, 6])
def test_a_number_of_channels_that_is_no_multiple_of_4_is_refused(channels):
    with pytest.raises(ValueError, match=f"multiple of 4, not {channels}"):
        sine_positions(3, 3, channels)
