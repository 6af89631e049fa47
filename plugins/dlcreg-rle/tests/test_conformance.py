"""The parts keep the contracts of dlcreg."""

import pytest
import torch

from dlcreg.registry import REGISTRIES
from dlcreg.testing import parametrize_with_checks

PARTS = {"codec": {"type": "RLECodec"}, "losses": {"keypoints": {"type": "RLELoss"}}}


def with_sigma(targets):
    """Return what a perfect model gives: sigmas have no target."""
    share = targets["keypoints"]
    return {"keypoints": torch.cat([share, torch.full_like(share, -4.0)], dim=-1)}


def inputs(seed):
    generator = torch.Generator().manual_seed(seed)
    output, target = (torch.randn(2, 4, n, generator=generator) for n in (4, 2))
    return output, 0.3 * target, torch.tensor([[1.0, 0, 1, 1], [1, 1, 1, 0]])[..., None]


@parametrize_with_checks(
    [
        # the likelihood of labels that are met exactly has no bound: later, the kit's high and
        # constant rate throws them off again, which clip_grad and a schedule prevent in a run
        ("heads", "RLEHead", {"arguments": PARTS, "steps": 60}),
        ("codecs", "RLECodec", {"outputs": with_sigma}),
        ("losses", "RLELoss", {"inputs": inputs}),
        ("losses", "RLELoss", {"inputs": inputs, "arguments": {"base": "gaussian"}}),
    ]
)
def test_parts_pass_the_conformance_kit(check):
    check()


@pytest.mark.parametrize(
    ("kind", "name"), [("heads", "RLEHead"), ("codecs", "RLECodec"), ("losses", "RLELoss")]
)
def test_each_comes_from_this_package(kind, name):
    assert REGISTRIES[kind].part(name).distribution == "dlcreg-rle"
