"""Multiply-accumulates are counted as the papers count them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.ops import DeformConv2d

from dlcreg.builder.costs import operation_counter


@pytest.mark.parametrize("groups", [1, 4])
def test_a_deformable_convolution_costs_what_a_plain_one_does(groups):
    with torch.device("meta"):
        images, offsets = torch.zeros(2, 8, 20, 30), torch.zeros(2, 18, 20, 30)
        plain = nn.Conv2d(8, 16, 3, padding=1, groups=groups)
        deformable = DeformConv2d(8, 16, 3, padding=1, groups=groups)
    with operation_counter() as expected:
        plain(images)
    with operation_counter() as counted:
        deformable(images, offsets)
    assert counted.get_total_flops() == expected.get_total_flops() > 0
