"""What a checkpoint remembers of its parts, and what is said where they have changed."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict

import pytest

from dlcreg import HEADS, OPTIMIZERS, PluginError, plugins
from dlcreg.apis import evaluate, train
from dlcreg.contracts import Head
from dlcreg.registry.recorded import check_recorded, compare
from dlcreg.solvers import checkpoint as checkpoints

HEAD = """
from dlcreg import HEADS
from dlcreg.contracts import Head

@HEADS.register_module()
class MyHead(Head):
    def forward(self, features):
        return {}
"""
CONFIG = {"model": {"head": {"type": "MyHead"}}}


@pytest.fixture
def my_plugin(site):
    """Install a package with a head; return its folder and what a checkpoint keeps of the head."""
    entry = "[dlcreg.heads]\nMyHead = my_plugin.heads:MyHead\n"
    files = {"my_plugin/__init__": "", "my_plugin/heads": HEAD}
    folder = site("my-plugin", entry, version="1.2.3", **files)
    made = {"provenance": [asdict(HEADS.part("MyHead"))], "dlcreg": plugins.own_version()}
    return folder, made


def _become(folder, version: str | None) -> None:
    """Install another version of the package, or none."""
    info = next(folder.glob("my_plugin-*.dist-info"))
    if version is None:
        (info / "METADATA").unlink()
        (info / "entry_points.txt").unlink()
        info.rmdir()
    else:
        text = (info / "METADATA").read_text().replace("1.2.3", version)
        (info / "METADATA").write_text(text)
        info.rename(folder / f"my_plugin-{version}.dist-info")
    plugins.refresh()


def test_a_part_remembers_package_version_and_the_hash_of_its_source(my_plugin):
    folder, made = my_plugin
    source = (folder / "my_plugin/heads.py").read_bytes()
    assert made["provenance"] == [
        {
            "registry": "heads",
            "name": "MyHead",
            "distribution": "my-plugin",
            "version": "1.2.3",
            "target": "my_plugin.heads:MyHead",
            "sha256": hashlib.sha256(source).hexdigest(),
            "replaces": "",
        }
    ]


def test_nothing_is_said_where_nothing_has_changed(my_plugin, caplog):
    check_recorded(my_plugin[1], CONFIG, "best.pth")
    assert not caplog.records


def test_without_the_package_the_install_line_is_named(my_plugin):
    folder, made = my_plugin
    _become(folder, None)
    with pytest.raises(PluginError) as error:
        check_recorded(made, CONFIG, "best.pth")
    assert str(error.value) == (
        "best.pth cannot be used here, where these parts are missing:\n"
        "  heads/MyHead of my-plugin 1.2.3\n"
        "Install them with: pip install my-plugin==1.2.3"
    )


def test_a_missing_package_whose_parts_are_not_asked_for_is_no_error(my_plugin):
    folder, made = my_plugin
    _become(folder, None)
    check_recorded(made, {"model": {"head": {"type": "HeatmapHead"}}}, "best.pth")


def test_another_version_is_told_in_one_warning_with_both(my_plugin, caplog):
    folder, made = my_plugin
    _become(folder, "1.3.0")
    made["dlcreg"] = "99.0"
    with caplog.at_level(logging.WARNING):
        check_recorded(made, CONFIG, "best.pth")
    assert [record.getMessage() for record in caplog.records] == [
        f"best.pth was made with my-plugin 1.2.3 (here 1.3.0); dlcreg 99.0 (here "
        f"{plugins.own_version()}): results may differ"
    ]


def test_another_patch_of_dlcreg_itself_is_not_worth_a_warning(my_plugin, caplog):
    made = my_plugin[1] | {"dlcreg": plugins.own_version() + ".post7"}
    check_recorded(made, CONFIG, "best.pth")
    assert not caplog.records


def test_another_source_of_the_same_version_is_told(my_plugin, caplog):
    folder, made = my_plugin
    (folder / "my_plugin/heads.py").write_text(HEAD + "\n# changed\n")
    check_recorded(made, CONFIG, "best.pth")
    (record,) = caplog.records
    assert "another source of heads/MyHead of my-plugin 1.2.3" in record.getMessage()


def test_checkpoints_without_hashes_or_without_any_provenance_are_taken(my_plugin, caplog):
    (part,) = my_plugin[1]["provenance"]
    old = {key: value for key, value in part.items() if key not in ("sha256", "replaces")}
    check_recorded({"provenance": [old]}, CONFIG, "best.pth")
    check_recorded({}, CONFIG, "best.pth")
    assert not caplog.records


def test_a_class_of_no_package_must_be_registered_first():
    made = {"registry": "heads", "name": "Lone", "distribution": "", "version": ""}
    part = made | {"target": "lone_script:Lone"}
    with pytest.raises(
        PluginError, match="heads/Lone, which is lone_script:Lone and in no package"
    ):
        check_recorded({"provenance": [part]}, {"head": {"type": "Lone"}}, "best.pth")

    @HEADS.register_module()
    class Lone(Head):
        def forward(self, features):
            return {}

    check_recorded({"provenance": [part]}, {"head": {"type": "Lone"}}, "best.pth")


def test_replacing_a_builtin_by_force_is_recorded():
    @HEADS.register_module("HeatmapHead", force=True)
    class Better(Head):
        def forward(self, features):
            return {}

    part = HEADS.part("HeatmapHead")
    assert part.replaces == "dlcreg/HeatmapHead"
    assert part.target.endswith("Better")


def test_the_parts_of_a_library_are_compared_by_minor_version(caplog):
    part = asdict(OPTIMIZERS.part("AdamW"))
    here = plugins.installed_version("torch")
    assert (part["distribution"], part["version"]) == ("torch", here)
    assert [row.status for row in compare([part])] == ["same"]
    check_recorded({"provenance": [part | {"version": "1.0"}]}, {}, "best.pth")
    assert f"torch 1.0 (here {here})" in caplog.text


def test_evaluating_and_resuming_without_the_package_name_the_install_line(my_plugin, tmp_path):
    folder, made = my_plugin
    path = checkpoints.save(tmp_path / "epoch_1.pth", {"model": {}, "config": CONFIG, **made})
    _become(folder, None)
    with pytest.raises(PluginError, match=r"pip install my-plugin==1\.2\.3"):
        evaluate(None, path)
    with pytest.raises(PluginError, match=r"pip install my-plugin==1\.2\.3"):
        train(CONFIG, work_dir=tmp_path, resume=True)
