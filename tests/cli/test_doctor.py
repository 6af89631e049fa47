"""What `dlcreg doctor` finds wrong with an installation, and how it says to mend it."""

from __future__ import annotations

import json
import sys

import pytest

from dlcreg import plugins
from dlcreg.cli import main
from dlcreg.doctor import findings


def test_a_sound_installation_is_told_in_full(capsys):
    status = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert status == (0 if report["sound"] else 1)
    assert report["versions"]["dlcreg"] == plugins.own_version()
    assert report["devices"][0].startswith("cpu: ")
    assert report["codecs"]["h264"] is True


def test_a_broken_plugin_is_wrong_and_its_remedy_is_named(site, capsys):
    site("torn", "[dlcreg.heads]\nTorn = torn_heads:Torn\n", torn_heads="import no_such_module")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "  torn 1.0: 1 heads\n" in out
    assert "WRONG: torn/Torn cannot be used: importing torn_heads of package torn 1.0" in out
    assert "leave it out with DLCREG_DISABLE=torn" in out
    assert out.endswith("something is wrong, see above\n")


def test_a_plugin_for_another_api_names_the_side_to_upgrade(site):
    site("newer", "[dlcreg.heads]\nNew = newer:New\n[dlcreg.api]\n2.0 = newer\n", newer="")
    (finding,) = findings.packages()
    assert "Upgrade dlcreg: pip install --upgrade dlcreg" in finding.what


def test_two_opencvs_of_different_versions_are_wrong():
    versions = {"opencv-python": "4.9.0", "opencv-python-headless": "4.11.0"}
    (finding,) = findings.opencv(versions)
    assert finding.what == (
        "OpenCVs of different versions share one folder: "
        "opencv-python 4.9.0, opencv-python-headless 4.11.0"
    )
    assert finding.remedy == (
        "pip install --force-reinstall --no-deps opencv-python==4.11.0 "
        "opencv-python-headless==4.11.0"
    )
    assert not list(findings.opencv(dict.fromkeys(versions, "4.11.0")))


def test_a_missing_cv2_is_wrong(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    (finding,) = findings.opencv({"opencv-python-headless": "4.11.0"})
    assert finding.what.startswith("cv2 cannot be imported: ModuleNotFoundError")
    assert finding.remedy == "pip install --force-reinstall --no-deps opencv-python-headless"


@pytest.mark.parametrize(
    ("requirement", "what"),
    [
        ("numpy<1", f"needy requires numpy<1, but {plugins.installed_version('numpy')} is"),
        ("no-such-package>=2", "needy requires no-such-package>=2, which is not installed"),
    ],
)
def test_a_requirement_that_is_not_met_is_wrong(site, requirement, what):
    folder = site("needy", "")
    metadata = folder / "needy-1.0.dist-info/METADATA"
    metadata.write_text(f"{metadata.read_text()}Requires-Dist: {requirement}\n")
    (finding,) = findings.requirements("needy")
    assert finding.what.startswith(what)
    assert finding.remedy == f"pip install '{requirement}'"


def test_a_package_that_is_switched_off_is_a_note(monkeypatch):
    monkeypatch.setenv("DLCREG_DISABLE", "no-such-thing")
    (finding,) = findings.disabled()
    assert finding.what == "DLCREG_DISABLE switches no-such-thing off, which is not installed"
    assert not finding.wrong


def test_a_folder_for_weights_that_cannot_be_written_is_wrong(tmp_path):
    (tmp_path / "file").write_text("")
    (finding,) = findings.weights_folder(tmp_path / "file/hub")
    assert "pretrained weights cannot be kept" in finding.what
    assert "TORCH_HOME" in finding.remedy
    assert not list(findings.weights_folder(tmp_path / "new/hub"))


def test_little_shared_memory_is_wrong(tmp_path, monkeypatch):
    assert not list(findings.shared_memory(tmp_path / "no such folder"))
    monkeypatch.setattr(findings, "_LEAST_SHARED", 2**70)
    (finding,) = findings.shared_memory(tmp_path)
    assert "--shm-size=2g" in finding.remedy
