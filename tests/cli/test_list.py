"""What `dlcreg list` says of parts that it does not import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from dlcreg.cli import main
from dlcreg.registry import REGISTRIES
from dlcreg.registry.listing import natural

HEAD = '''
from dlcreg.contracts import Head

open("imported", "w")

class {name}(Head):
    """Points, and
    what is around them. A further sentence.
    """

    def forward(self, features):
        return {{}}
'''


def listed(capsys, *args: str) -> dict[str, dict[str, str]]:
    assert main(["list", *args, "--json"]) == 0
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)["parts"]}


def test_list_shows_every_part_with_package_version_status_and_purpose(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["kind", "name", "package", "version", "status", "purpose"]
    rows = [line.split() for line in lines[1:]]
    assert ["heads", "HeatmapHead"] in [row[:2] for row in rows]
    assert {row[0] for row in rows} <= set(REGISTRIES)
    assert {row[4] for row in rows if row[2] == "dlcreg"} == {"ok"}
    assert all(len(row) > 5 for row in rows if row[2] == "dlcreg")


def test_one_kind_is_that_kind_alone(capsys):
    assert {row["kind"] for row in listed(capsys, "codecs").values()} == {"codecs"}


def test_an_unknown_kind_names_the_kinds(capsys):
    assert main(["list", "head"]) == 2
    assert "there is no kind 'head'. Kinds: models, backbones" in capsys.readouterr().err


@pytest.mark.parametrize("args", [("backbones", "*RES*"), ("*RESN*",), ("dlcreg/resn*",)])
def test_a_pattern_has_wildcards_and_no_case(capsys, args):
    assert set(listed(capsys, *args)) == {"ResNet"}


def test_a_pattern_that_nothing_fits_ends_with_status_1(capsys):
    assert main(["list", "heads", "*nothing*"]) == 1
    assert capsys.readouterr().out == "no part is named *nothing*\n"


def test_numbers_in_names_sort_by_their_size():
    assert sorted(["net18", "Net101", "net9", "a"], key=natural) == ["a", "net9", "net18", "Net101"]


def test_the_purpose_is_read_without_importing_the_package(site, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    site("p-a", "[dlcreg.heads]\nAside = p_a:Aside\n", p_a=HEAD.format(name="Aside"))
    site("p-b", "[dlcreg.heads]\nVia = p_b:Via\n", p_b="from p_a import Aside as Via")
    rows = listed(capsys, "heads")
    assert rows["Aside"]["purpose"] == "Points, and what is around them."
    assert rows["Via"]["purpose"] == "Points, and what is around them."
    assert not (tmp_path / "imported").exists()


def test_each_status_is_told(site, capsys, monkeypatch):
    site("p-a", "[dlcreg.heads]\nTwin = p_a:Twin\nFine = p_a:Fine\n", p_a=HEAD.format(name="Twin"))
    site("p-b", "[dlcreg.heads]\nTwin = p_b:Twin\n", p_b=HEAD.format(name="Twin"))
    site("p-c", "[dlcreg.heads]\nGone = p_gone:Gone\n")
    site("p-d", "[dlcreg.heads]\nNewer = p_d:Newer\n[dlcreg.api]\n2 = p_d\n", p_d="")
    site("p-e", "[dlcreg.heads]\nOff = p_e:Off\n", p_e="")
    monkeypatch.setenv("DLCREG_DISABLE", "p-e")
    from dlcreg import plugins

    plugins.refresh()
    rows = listed(capsys, "heads")
    assert {name: rows[name]["status"] for name in ("Twin", "Fine", "Gone", "Newer", "Off")} == {
        "Twin": "clash",
        "Fine": "ok",
        "Gone": "broken",
        "Newer": "needs API 2",
        "Off": "disabled",
    }


def test_check_says_which_parts_are_broken_and_why(site, capsys):
    site("torn", "[dlcreg.heads]\nTorn = torn_heads:Torn\n", torn_heads="import no_such_module")
    assert main(["list", "heads"]) == 0
    assert "broken" not in capsys.readouterr().out
    assert main(["list", "heads", "--check"]) == 1
    out = capsys.readouterr().out
    rows = {tuple(line.split()[:5]) for line in out.splitlines() if line.startswith("heads")}
    assert ("heads", "Torn", "torn", "1.0", "broken") in rows
    assert {row[-1] for row in rows if row[2] == "dlcreg"} == {"ok"}
    assert "torn/Torn cannot be used: importing torn_heads of package torn 1.0 failed" in out
    assert "No module named 'no_such_module'" in out


def test_the_parts_of_libraries_are_listed_and_torch_is_not_imported():
    code = """
import io, sys, contextlib
from dlcreg.cli import main
out = io.StringIO()
with contextlib.redirect_stdout(out):
    assert main(['list']) == 0
assert 'torch' not in sys.modules
assert 'AdamW ' in out.getvalue() and 'MultiStepLR ' in out.getvalue()
assert out.getvalue().count(' EMAHook ') == 1  # dlcreg's, which the bare name means
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_mistakes_are_json_too_where_json_is_asked_for(capsys):
    assert main(["list", "head", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["type"] == "PluginError"
    assert error["message"].startswith("there is no kind 'head'")
