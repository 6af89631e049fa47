"""What is found where, and what is said when it cannot be used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dlcreg import BACKBONES, HEADS, OPTIMIZERS, REGISTRIES, PluginError, plugins
from dlcreg.contracts import Backbone, Head

HEAD = """
from dlcreg import HEADS
from dlcreg.contracts import Head

@HEADS.register_module()
class {name}(Head):
    def forward(self, features):
        return {{}}
"""


def test_import_dlcreg_imports_neither_torch_nor_any_plugin(site, monkeypatch):
    folder = site("loud", "[dlcreg.heads]\nLoud = loud:Loud\n", loud="raise SystemExit('imported')")
    code = """
import sys, dlcreg
assert not {'torch', 'mmengine', 'importlib_metadata'} & set(sys.modules)  # nothing is scanned
assert 'Loud' in [row.name for row in dlcreg.HEADS.listing()]
assert not {'torch', 'loud'} & set(sys.modules)
"""
    monkeypatch.setenv("PYTHONPATH", str(folder))
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_head_of_a_package_is_found_by_its_bare_name(site):
    site("my-pose", "[dlcreg.heads]\nMyHead = my_pose:MyHead\n", my_pose=HEAD.format(name="MyHead"))
    head = HEADS.get("MyHead")
    assert issubclass(head, Head)
    part = HEADS.part("MyHead")
    assert (part.distribution, part.version, part.name) == ("my-pose", "1.0", "MyHead")


def test_listing_names_a_part_without_importing_it(site):
    site("my-pose", "[dlcreg.heads]\nMyHead = my_pose:MyHead\n", my_pose="1 / 0")
    row = next(row for row in HEADS.listing() if row.name == "MyHead")
    assert (row.distribution, row.version, row.status) == ("my-pose", "1.0", "ok")
    assert "my_pose" not in sys.modules


def test_qualified_name_and_import_path_and_class_all_resolve(site):
    site("my-pose", "[dlcreg.heads]\nMyHead = my_pose:MyHead\n", my_pose=HEAD.format(name="MyHead"))
    found = {HEADS.get("my-pose/MyHead"), HEADS.get("my_pose:MyHead"), HEADS.get("MyHead")}
    (head,) = found
    assert HEADS.get(head) is head
    assert HEADS.get("My_Pose/MyHead") is head


def test_two_packages_with_one_name_are_refused_with_both_qualified_names(site):
    site("pose-a", "[dlcreg.heads]\nTwin = pose_a:Twin\n", pose_a=HEAD.format(name="Twin"))
    site("pose-b", "[dlcreg.heads]\nTwin = pose_b:Twin\n", pose_b=HEAD.format(name="Twin"))
    with pytest.raises(PluginError, match="is provided by 2 packages") as error:
        HEADS.get("Twin")
    assert "'pose-a/Twin'" in str(error.value)
    assert "'pose-b/Twin'" in str(error.value)
    assert HEADS.get("pose-a/Twin") is not HEADS.get("pose-b/Twin")
    assert {row.status for row in HEADS.listing() if row.name == "Twin"} == {"clash"}


def test_a_builtin_wins_a_bare_name_over_a_package(site):
    source = HEAD.format(name="HeatmapHead")
    site("copycat", "[dlcreg.heads]\nHeatmapHead = copycat:HeatmapHead\n", copycat=source)
    copy = HEADS.get("copycat/HeatmapHead")
    assert HEADS.get("HeatmapHead").__module__ == "dlcreg.models.heads.heatmap"
    assert copy.__module__ == "copycat"


def test_a_broken_package_breaks_nothing_else_and_names_package_cause_and_remedy(site):
    site("broken", "[dlcreg.heads]\nBroken = broken:Broken\n", broken="import nowhere_at_all")
    site("fine", "[dlcreg.heads]\nFine = fine:Fine\n", fine=HEAD.format(name="Fine"))
    assert HEADS.get("Fine")
    with pytest.raises(PluginError) as error:
        HEADS.get("Broken")
    text = str(error.value)
    assert "importing broken of package broken 1.0 failed with ModuleNotFoundError" in text
    assert "No module named 'nowhere_at_all'" in text
    assert "broken.py:1)" in text
    assert "pip install --upgrade --force-reinstall broken" in text


def test_an_entry_point_to_nothing_says_what_the_package_promised(site):
    site("hollow", "[dlcreg.heads]\nHollow = hollow:Missing\n", hollow="")
    expected = "package hollow 1.0 promises hollow:Missing, but hollow has no 'Missing'"
    with pytest.raises(PluginError, match=expected):
        HEADS.get("Hollow")


def test_a_module_that_fails_when_asked_for_its_class_is_a_broken_package(site):
    source = "def __getattr__(name):\n    raise ImportError('needs cuda')\n"
    site("lazy-lab", "[dlcreg.heads]\nLazyHead = lazy_lab:LazyHead\n", lazy_lab=source)
    with pytest.raises(PluginError) as error:
        HEADS.get("LazyHead")
    text = str(error.value)
    assert "lazy_lab of package lazy-lab 1.0 gives no 'LazyHead': ImportError: needs cuda" in text
    assert "lazy_lab.py:2)" in text
    assert "DLCREG_DISABLE=lazy-lab" in text


def test_a_class_of_another_kind_is_refused_with_the_base_it_needs(site):
    site("wrong", "[dlcreg.backbones]\nWrong = wrong:Wrong\n", wrong=HEAD.format(name="Wrong"))
    with pytest.raises(PluginError, match=r"not a subclass of dlcreg\.Backbone"):
        BACKBONES.get("Wrong")


@pytest.mark.parametrize(("api", "side"), [("2.0", "dlcreg"), ("0.3", "other-api")])
def test_another_major_api_is_refused_with_the_side_to_upgrade(site, api, side):
    entry = f"[dlcreg.heads]\nOther = other_api:Other\n[dlcreg.api]\n{api} = other_api\n"
    site("other-api", entry, other_api=HEAD.format(name="Other"))
    with pytest.raises(PluginError, match=f"Upgrade {side}: pip install --upgrade {side}"):
        HEADS.get("Other")
    assert next(r.status for r in HEADS.listing() if r.name == "Other") == f"needs API {api}"


def test_the_same_major_api_is_accepted(site):
    entry = "[dlcreg.heads]\nOther = other_api:Other\n[dlcreg.api]\n1.7 = other_api\n"
    site("other-api", entry, other_api=HEAD.format(name="Other"))
    assert HEADS.get("Other")


def test_a_disabled_package_says_how_to_switch_it_on(site, monkeypatch):
    site("my-pose", "[dlcreg.heads]\nMyHead = my_pose:MyHead\n", my_pose=HEAD.format(name="MyHead"))
    monkeypatch.setenv("DLCREG_DISABLE", "other,my_pose")
    plugins.refresh()
    with pytest.raises(PluginError, match="switched off by DLCREG_DISABLE='other,my_pose'"):
        HEADS.get("MyHead")
    assert next(r.status for r in HEADS.listing() if r.name == "MyHead") == "disabled"


def test_a_disabled_package_leaves_the_name_to_its_rival(site, monkeypatch):
    site("pose-a", "[dlcreg.heads]\nTwin = pose_a:Twin\n", pose_a=HEAD.format(name="Twin"))
    site("pose-b", "[dlcreg.heads]\nTwin = pose_b:Twin\n", pose_b=HEAD.format(name="Twin"))
    monkeypatch.setenv("DLCREG_DISABLE", "pose-a")
    plugins.refresh()
    assert HEADS.get("Twin").__module__ == "pose_b"


def test_unknown_names_get_a_suggestion_and_the_known_ones():
    with pytest.raises(PluginError, match="Did you mean 'HeatmapHead'") as error:
        HEADS.get("HeatmapHed")
    assert "HeatmapHead" in str(error.value).partition("Known: ")[2]


def test_a_part_of_another_kind_says_which_kind_it_is():
    with pytest.raises(PluginError, match="It is a backbone; a head is wanted here"):
        HEADS.get("ResNet")


def test_an_unknown_package_gives_the_install_line():
    with pytest.raises(PluginError, match="pip install no-such-package"):
        HEADS.get("no-such-package/Thing")


def test_a_wrong_import_path_says_how_one_reads():
    with pytest.raises(PluginError, match=r"An import path reads 'package\.module:Class'"):
        HEADS.get("nowhere.at.all:Head")


@pytest.mark.parametrize("source", ["1 / 0", "raise SystemExit(1)", "def f(:"])
def test_an_import_path_to_a_module_that_fails_is_told_like_any_mistake(site, source):
    site("failing", "", failing=source)
    with pytest.raises(PluginError, match="head 'failing:Head' cannot be imported"):
        HEADS.get("failing:Head")


def test_optimizers_of_torch_are_found_by_class_name():
    import torch

    assert OPTIMIZERS.get("AdamW") is torch.optim.AdamW
    with pytest.raises(PluginError, match="there is no optimizer 'Optimizer'"):
        OPTIMIZERS.get("Optimizer")


def test_schedulers_and_hooks_of_mmengine_are_found():
    from dlcreg import HOOKS, SCHEDULERS

    assert SCHEDULERS.get("MultiStepLR").__module__.startswith("mmengine.")
    assert HOOKS.get("EMAHook").__module__ == "dlcreg.solvers.hooks.ema"
    assert HOOKS.get("SyncBuffersHook").__module__.startswith("mmengine.")


def test_decorator_works_with_and_without_parentheses_and_with_a_name():
    @BACKBONES.register_module
    class Bare(Backbone):
        def forward(self, images):
            return (images,)

    @BACKBONES.register_module()
    class Called(Bare):
        pass

    @BACKBONES.register_module("other_name")
    class Named(Bare):
        pass

    assert BACKBONES.get("Bare") is Bare
    assert BACKBONES.get("Called") is Called
    assert BACKBONES.get("other_name") is Named
    assert BACKBONES.register_module(module=Named) is Named


def test_decorating_the_wrong_kind_is_refused_at_once():
    with pytest.raises(PluginError, match=r"not a subclass of dlcreg\.Head"):

        @HEADS.register_module()
        class NotAHead:
            pass


def test_taking_the_name_of_a_builtin_needs_force(caplog):
    with pytest.raises(PluginError, match="the name is taken by dlcreg/HeatmapHead"):
        HEADS.register_module(name="HeatmapHead", module=_head())
    replacement = _head()
    with caplog.at_level("WARNING"):
        HEADS.register_module(name="HeatmapHead", force=True, module=replacement)
    assert "replaces dlcreg/HeatmapHead" in caplog.text
    assert HEADS.get("HeatmapHead") is replacement


def test_two_classes_of_one_process_with_one_name_are_refused():
    HEADS.register_module(name="Local", module=_head())

    class Second(Head):
        def forward(self, features):
            return {}

    with pytest.raises(PluginError, match="the name is taken by"):
        HEADS.register_module(name="Local", module=Second)


def test_running_a_notebook_cell_again_replaces_the_class():
    first, second = _head(), _head()
    HEADS.register_module(name="Local", module=first)
    HEADS.register_module(name="Local", module=second)
    assert HEADS.get("Local") is second


@pytest.mark.parametrize("line", ["Lame", "Lame =", "Lame = lame.heads"])
def test_a_malformed_entry_point_says_how_one_reads_and_breaks_nothing_else(site, line):
    site("lame", f"[dlcreg.heads]\n{line}\nFine = fine:Fine\n", fine=HEAD.format(name="Fine"))
    assert HEADS.get("lame/Fine")
    with pytest.raises(PluginError, match="and not 'module:Class'") as error:
        HEADS.get("Lame")
    assert "the entry point of package lame 1.0 reads" in str(error.value)
    assert next(row.status for row in HEADS.listing() if row.name == "Lame") == "broken"


def test_a_package_that_ends_python_when_imported_is_broken_like_any_other(site):
    site("quit", "[dlcreg.heads]\nQuit = quits:Quit\n", quits="raise SystemExit(3)")
    with pytest.raises(PluginError, match=r"package quit 1\.0 failed with SystemExit"):
        HEADS.get("Quit")


def test_an_api_that_is_no_version_is_refused(site):
    entry = "[dlcreg.heads]\nOdd = odd:Odd\n[dlcreg.api]\nnew = odd\n"
    site("odd", entry, odd=HEAD.format(name="Odd"))
    with pytest.raises(PluginError, match=r"declares the plug-in API 'new', which is no version"):
        HEADS.get("Odd")


def test_a_name_that_the_package_has_not_lists_those_that_it_has(site):
    site("my-pose", "[dlcreg.heads]\nMyHead = my_pose:MyHead\n", my_pose="")
    with pytest.raises(PluginError, match=r"my-pose has no head 'Other'\. It has: MyHead"):
        HEADS.get("my-pose/Other")


def test_a_class_that_the_entry_point_only_passes_on_is_its_packages(site):
    source = HEAD.format(name="Passed")
    files = {"pass_on/__init__": "from pass_on.heads import Passed", "pass_on/heads": source}
    site("pass-on", "[dlcreg.heads]\nPassed = pass_on:Passed\n", **files)
    site("rival", "[dlcreg.heads]\nPassed = rival:Passed\n", rival=source)
    assert HEADS.get("pass-on/Passed")
    part = HEADS.part("pass-on/Passed")
    assert (part.distribution, part.target) == ("pass-on", "pass_on.heads:Passed")
    with pytest.raises(PluginError, match="is provided by 2 packages"):
        HEADS.get("Passed")  # imported or not, the other package has it too


def test_what_this_process_registered_wins_over_a_package(site):
    site("my-pose", "[dlcreg.heads]\nMyHead = my_pose:MyHead\n", my_pose="1 / 0")
    mine = HEADS.register_module(name="MyHead", module=_head())
    assert HEADS.get("MyHead") is mine


def test_names_of_libraries_are_read_from_their_sources():
    code = """
import sys
from dlcreg import HOOKS, OPTIMIZERS, SCHEDULERS
listed = [registry.library_names() for registry in (OPTIMIZERS, SCHEDULERS, HOOKS)]
assert 'torch' not in sys.modules
import torch.optim, mmengine.optim, mmengine.hooks
assert listed == [registry.library_names() for registry in (OPTIMIZERS, SCHEDULERS, HOOKS)]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("group", "base"),
    [
        ("detectors", "Detector"),
        ("readers", "Reader"),
        ("trackers", "Tracker"),
        ("writers", "Writer"),
        ("schedulers", "_ParamScheduler"),
        ("hooks", "Hook"),
    ],
)
def test_packages_provide_parts_of_each_further_kind(site, group, base):
    home = {"schedulers": "mmengine.optim", "hooks": "mmengine.hooks"}
    source = f"from {home.get(group, 'dlcreg.contracts')} import {base}\nclass Own({base}): pass"
    site("further", f"[dlcreg.{group}]\nOwn = further:Own\n", further=source)
    registry = REGISTRIES[group]
    assert registry.get("Own").__module__ == "further"
    assert registry.part("further/Own").distribution == "further"


def test_a_scheduler_and_a_hook_of_a_library_have_qualified_names_too():
    assert OPTIMIZERS.get("torch/AdamW") is OPTIMIZERS.get("AdamW")
    assert REGISTRIES["hooks"].get("mmengine/EMAHook").__module__ == "mmengine.hooks.ema_hook"


def _head() -> type:
    class Mine(Head):
        def forward(self, features):
            return {}

    return Mine


def test_required_plugins_list_everything_that_is_missing():
    from dlcreg import ConfigError

    with pytest.raises(ConfigError) as error:
        plugins.check_required(["no-such-thing>=1", "numpy>=999", "torch", "=nonsense"])
    text = str(error.value)
    assert "package no-such-thing is not installed. Install it with: pip install 'no-such-" in text
    assert "does not meet 'numpy>=999'" in text
    assert "'=nonsense' is no requirement" in text
    assert len(error.value.problems) == 3
