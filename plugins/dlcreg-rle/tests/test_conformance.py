"""The parts keep the contracts of dlcreg."""

import pytest
from dlcreg_rle.checks import PARTS

from dlcreg.registry import REGISTRIES
from dlcreg.testing import parametrize_with_checks

OTHERS = [
    ("losses", "RLELoss", {**PARTS["losses/RLELoss"], "arguments": options})
    for options in ({"base": "gaussian"}, {"anchored": False})
]


@parametrize_with_checks([(*part.split("/"), options) for part, options in PARTS.items()] + OTHERS)
def test_parts_pass_the_conformance_kit(check):
    check()


@pytest.mark.parametrize("part", PARTS)
def test_each_comes_from_this_package(part):
    kind, name = part.split("/")
    assert REGISTRIES[kind].part(name).distribution == "dlcreg-rle"
