"""`dlcreg plugin check`: what it says of packages that are not fit to be published."""

from __future__ import annotations

import json

import pytest

from dlcreg import plugins
from dlcreg.cli import main
from dlcreg.errors import PluginError
from dlcreg.testing import check_package

LOSS = '''
"""A loss."""

from torch import Tensor

from dlcreg import LOSSES, Loss


@LOSSES.register_module()
class HalfLoss(Loss):
    """Half the squared error.

    Args:
        weight: factor of this loss.
    """

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss."""
        error = (output - target).where(weight != 0, 0)
        return 0.5 * (error.square() * weight).mean()
'''
ENTRY = """
[dlcreg.losses]
HalfLoss = half_loss_module:HalfLoss
"""


@pytest.fixture
def lab_loss(site):
    """Return a function that installs a package with a loss, and the metadata that it is given."""

    def install(entries: str = ENTRY, source: str = LOSS, metadata: str = "", **modules: str):
        folder = site("lab-loss", entries, half_loss_module=source, **modules)
        with (folder / "lab_loss-1.0.dist-info/METADATA").open("a") as file:
            file.write(metadata)
        plugins.refresh()
        return {
            f"{part}.{result.check}": result.message
            for part, result in check_package("lab-loss").failed
        }

    return install


GOOD = """Summary: Half a loss
License: MIT
Requires-Python: >=3.10
Requires-Dist: dlcreg>=0.1
Description: How to use it.
"""
API = "[dlcreg.api]\n1.0 = half_loss_module\n"


def test_a_package_that_has_all_passes(lab_loss):
    assert lab_loss(ENTRY + API, metadata=GOOD) == {}


def test_what_its_metadata_lack_is_said_with_the_remedy(lab_loss):
    failed = lab_loss(ENTRY)
    assert "lab-loss has no summary" in failed["package.summary"]
    assert "long_description = file: README.md" in failed["package.readme"]
    assert "has no licence" in failed["package.licence"]
    assert "Add 'dlcreg>=...' to install_requires" in failed["package.requirements"]
    assert "Add the entry point dlcreg.api = 1.0" in failed["package.plugin_api"]


def test_a_package_for_another_api_is_told_which_side_to_upgrade(lab_loss):
    failed = lab_loss(ENTRY + "[dlcreg.api]\n2.0 = half_loss_module\n", metadata=GOOD)
    assert "pip install --upgrade dlcreg" in failed["package.plugin_api"]


def test_a_group_that_dlcreg_never_reads_is_named_with_the_nearest(lab_loss):
    failed = lab_loss(ENTRY.replace("losses", "loses") + API, metadata=GOOD)
    message = failed["package.entry_points"]
    assert "HalfLoss in dlcreg.loses, which dlcreg never reads" in message
    assert "Did you mean dlcreg.losses?" in message


def test_a_module_that_fails_to_import_is_said_with_its_cause(lab_loss):
    failed = lab_loss(ENTRY + API, source="import nothing_of_this_name", metadata=GOOD)
    assert "failed with ModuleNotFoundError" in failed["package.entry_points"]


def test_the_name_of_a_builtin_is_refused(lab_loss):
    source = "from dlcreg.solvers.losses.mse import MSELoss as HalfLoss"
    entries = ENTRY.replace("HalfLoss =", "MSELoss =") + API
    failed = lab_loss(entries, source=source, metadata=GOOD)
    assert "the loss MSELoss, whose name is that of a part of dlcreg" in failed["package.names"]
    assert "'lab-loss/MSELoss'" in failed["package.names"]


def test_the_name_of_an_optimizer_of_torch_is_refused(lab_loss):
    entries = "[dlcreg.optimizers]\nAdamW = half_loss_module:AdamW\n" + API
    failed = lab_loss(entries, source="from torch.optim import AdamW", metadata=GOOD)
    assert (
        "the optimizer AdamW, whose name is that of a part of a library" in failed["package.names"]
    )


def test_an_import_that_takes_its_time_is_measured(lab_loss):
    slow = (
        "import time\nuntil = time.process_time() + 1.1\nwhile time.process_time() < until: pass\n"
    )
    failed = lab_loss(ENTRY + API, source=slow + LOSS.replace('"""A loss."""', ""), metadata=GOOD)
    assert "lab-loss takes 1." in failed["package.import_cost"]
    assert "at most 1 s" in failed["package.import_cost"]


def test_its_parts_go_through_the_conformance_kit(lab_loss):
    leaky = LOSS.replace(".where(weight != 0, 0)", "")
    leaky = leaky.replace("(error.square() * weight).mean()", "error.square().mean()")
    failed = lab_loss(ENTRY + API, source=leaky, metadata=GOOD)
    assert any(key.startswith("losses/HalfLoss.") for key in failed)


def test_a_package_can_say_what_its_parts_are_given_and_what_is_to_fail(lab_loss):
    entries = ENTRY + API + "[dlcreg.checks]\nparts = half_loss_checks:PARTS\n"
    needy = LOSS.replace(
        "    def forward",
        "    def __init__(self, half: float, weight: float = 1.0) -> None:\n"
        "        super().__init__(weight)\n\n    def forward",
    )
    options = (
        "PARTS = {'losses/HalfLoss': {'arguments': {'half': 0.5},"
        " 'expected_failures': {'documented': 'it is a secret'}}}"
    )
    assert lab_loss(entries, source=needy, metadata=GOOD, half_loss_checks=options) == {}


def test_a_failure_that_does_not_come_is_one(lab_loss):
    entries = ENTRY + API + "[dlcreg.checks]\nparts = half_loss_checks:PARTS\n"
    options = "PARTS = {'losses/HalfLoss': {'expected_failures': {'builds': 'it never did'}}}"
    failed = lab_loss(entries, metadata=GOOD, half_loss_checks=options)
    assert "Take it out of expected_failures" in failed["losses/HalfLoss.builds"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "PARTS = {'losses/Half': {}}",
            "speaks of 'losses/Half', which is none of its parts: losses/",
        ),
        ("PARTS = []", "must be a dict by part, such as {'heads/MyHead'"),
        ("import nothing_of_this_name", "half_loss_checks:PARTS, which cannot be used: ModuleNot"),
        ("PARTS = {'losses/HalfLoss': {'size_': 3}}", "losses/HalfLoss: "),
        ("PARTS = {'losses/HalfLoss': 3}", "losses/HalfLoss must be a dict such as {'arguments'"),
        (
            "PARTS = {'losses/HalfLoss': {'expected_failures': {'bilds': 'x'}}}",
            "losses/HalfLoss has no check 'bilds'. Checks: ",
        ),
    ],
)
def test_options_that_are_none_are_refused(lab_loss, content, message):
    entries = ENTRY + API + "[dlcreg.checks]\nparts = half_loss_checks:PARTS\n"
    with pytest.raises(PluginError) as error:
        lab_loss(entries, metadata=GOOD, half_loss_checks=content)
    assert message in str(error.value)


def test_options_of_a_broken_part_do_not_hide_that_it_is_broken(lab_loss):
    entries = ENTRY.replace(":HalfLoss", ":Gone") + API
    entries += "[dlcreg.checks]\nparts = half_loss_checks:PARTS\n"
    options = "PARTS = {'losses/HalfLoss': {}}"
    failed = lab_loss(entries, metadata=GOOD, half_loss_checks=options)
    assert "has no 'Gone'" in failed["package.entry_points"]


def test_the_command_prints_a_table_and_the_failed_checks_and_ends_with_1(site, capsys):
    site("lab-loss", ENTRY, half_loss_module=LOSS)
    assert main(["plugin", "check", "lab-loss"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lab-loss 1.0"
    assert lines[1].split() == ["part", "passed", "skipped", "failed"]
    assert lines[2].split() == ["package", "4", "0", "5"]
    assert "FAILED package licence" in lines


def test_json_says_the_same(site, capsys):
    site("lab-loss", ENTRY, half_loss_module=LOSS)
    assert main(["plugin", "check", "lab-loss", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["distribution"], report["version"], report["passed"]) == (
        "lab-loss",
        "1.0",
        False,
    )
    assert {"check", "status", "message"} == set(report["results"]["losses/HalfLoss"][0])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lab-los", "package 'lab-los' is not installed. Did you mean 'lab-loss'?"),
        (
            "numpy",
            "provides no part of dlcreg: it has no entry point in a group such as dlcreg.heads",
        ),
    ],
)
def test_a_package_that_cannot_be_checked_ends_with_2(site, capsys, name, message):
    site("lab-loss", ENTRY, half_loss_module=LOSS)
    assert main(["plugin", "check", name]) == 2
    assert message in capsys.readouterr().err
