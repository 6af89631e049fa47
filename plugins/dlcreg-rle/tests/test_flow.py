"""The flow is a density: invertible, with the right determinant, of mass 1."""

import math

import pytest
import torch
from dlcreg_rle.flow import RealNVP


@pytest.fixture
def flow() -> RealNVP:
    """A flow that is far from the identity."""
    generator = torch.Generator().manual_seed(0)
    flow = RealNVP(hidden=8).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
    return flow.requires_grad_(False)


@pytest.fixture
def points() -> torch.Tensor:
    return torch.randn(50, 2, generator=torch.Generator().manual_seed(1)).double()


def test_inverse_undoes_forward(flow, points):
    there = flow(points)
    assert (there - points).abs().max() > 0.3
    torch.testing.assert_close(flow.inverse(there)[0], points)


@pytest.mark.parametrize("layers", [2, 3, 6])
def test_the_determinant_is_that_of_the_jacobian(flow, points, layers):
    flow = RealNVP(layers, hidden=8).double() if layers != 6 else flow
    _, log_det = flow.inverse(points)
    jacobian = torch.autograd.functional.jacobian(lambda x: flow.inverse(x)[0].sum(0), points)
    expected = torch.linalg.slogdet(jacobian.transpose(0, 1)).logabsdet
    torch.testing.assert_close(log_det, expected)


def test_the_density_has_mass_1(flow):
    step = 0.1
    axis = torch.arange(-20, 20, step).double()
    grid = torch.cartesian_prod(axis, axis)
    mass = flow.log_prob(grid).exp().sum() * step**2
    assert mass.item() == pytest.approx(1, abs=1e-3)


def test_a_new_flow_is_nearly_a_normal_distribution(points):
    normal = -0.5 * points.square().sum(1) - math.log(2 * math.pi)
    assert (RealNVP().double().log_prob(points) - normal).abs().max() < 0.05


def test_both_coordinates_depend_on_both(flow):
    point = torch.zeros(1, 2).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: flow.inverse(x)[0], point)
    assert (jacobian[0, :, 0].abs() > 1e-3).all()


def test_masks_are_no_part_of_the_state_dict():
    assert not [name for name in RealNVP().state_dict() if "mask" in name]


@pytest.mark.parametrize(
    ("options", "text"), [({"layers": 1}, "layers"), ({"hidden": 0}, "hidden")]
)
def test_impossible_sizes_are_refused(options, text):
    with pytest.raises(ValueError, match=f"{text} must be at least"):
        RealNVP(**options)
