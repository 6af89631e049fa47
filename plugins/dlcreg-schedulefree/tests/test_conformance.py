"""The optimizers keep the contracts of dlcreg."""

import pytest
import torch
from dlcreg_schedulefree.checks import PARTS

from dlcreg.registry import HOOKS, OPTIMIZERS
from dlcreg.testing import parametrize_with_checks

NAMES = ["AdamWScheduleFree", "RAdamScheduleFree", "SGDScheduleFree"]


@parametrize_with_checks(
    [("optimizers", name, PARTS.get(f"optimizers/{name}", {})) for name in NAMES]
)
def test_optimizers_pass_the_conformance_kit(check):
    check()


@pytest.mark.parametrize("name", NAMES)
def test_each_comes_from_this_package_and_brings_its_hook(name):
    assert OPTIMIZERS.part(name).distribution == "dlcreg-schedulefree"
    (hook,) = OPTIMIZERS.get(name)([torch.nn.Parameter(torch.ones(2))]).run_hooks()
    assert type(hook) is HOOKS.get("ScheduleFreeHook")
