"""A package of each kind, as `dlcreg plugin new` makes it: installed, tested, checked, used."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from dlcreg import scaffold
from dlcreg.data.demo import generate

PREFIX = "acceptance-new-"

USE = """
import sys
import numpy as np
from dlcreg import apis

root, video, packages = sys.argv[1], sys.argv[2], sys.argv[3:]
tiny = {
    "solver.max_epochs": 1, "solver.tensorboard": False, "evaluation.pictures": 0,
    "data.train.transform": [dict(type="Resize", longest=48)],
    "data.test.transform": [dict(type="Resize", longest=48)],
}
for package in packages:
    config = package + "/configs/demo.py"
    kept = {k: v for k, v in tiny.items() if "transform" not in k or "transform" not in package}
    result = apis.train(config, project=root, work_dir=package + "/run", options=kept)
    assert result.metrics["test"]["mean_error_px"] > 0, package
np.save(video, np.random.default_rng(0).integers(0, 255, (4, 64, 64), np.uint8))
(analyzed,) = apis.analyze(
    result.checkpoint, video, reader="AcceptanceNewReader", tracker="AcceptanceNewTracker",
    formats=["AcceptanceNewWriter"],
)
assert analyzed.status == "done", analyzed.error
assert analyzed.frames == 4
assert len(analyzed.files[0].read_text().splitlines()) == 4
"""

CHECK = """
import sys
from dlcreg.cli import main

sys.exit(max([main(["plugin", "check", name, "--json"]) for name in sys.argv[1:]]))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The demo project, with few and small frames."""
    return generate(tmp_path_factory.mktemp("demo") / "p", frames=6, size=(64, 64), video=False)


@pytest.fixture(scope="module")
def packages(tmp_path_factory, pip, wheels):
    """Make and install a package of each kind; return their folders by kind."""
    out = tmp_path_factory.mktemp("packages")
    roots = {k: scaffold.new_plugin(k, f"{PREFIX}{k}", out=out).root for k in scaffold.kinds()}
    pip("install", "--no-deps", "--no-index", *wheels(*roots.values()))
    yield roots
    pip("uninstall", "-y", *(root.name for root in roots.values()))


def test_their_own_tests_pass(packages, environment):
    tests = [root / "tests/test_behaviour.py" for root in packages.values()]
    tests.append(packages["head"] / "tests/test_conformance.py")  # of the others: see below
    options = ("-p", "no:cacheprovider", "--import-mode=importlib", "-W", "error")
    command = [environment, "-m", "pytest", "-q", "--rootdir", packages["head"], *options, *tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d\d passed", done.stdout), done.stdout


def test_each_is_listed_with_its_kind_and_package(packages, run):
    listing = run("-m", "dlcreg", "list").stdout
    for kind in packages:
        assert f"{PREFIX}{kind} " in listing, kind


def test_each_passes_the_checks_of_packages(packages, run):
    done = run("-c", CHECK, *(root.name for root in packages.values()), check=False)
    decoder, rest, reports = json.JSONDecoder(), done.stdout.strip(), []
    while rest:
        report, end = decoder.raw_decode(rest)
        reports.append(report)
        rest = rest[end:].strip()
    failed = [
        (report["distribution"], part, result)
        for report in reports
        for part, results in report["results"].items()
        for result in results
        if result["status"] == "failed"
    ]
    assert not failed
    assert len(reports) == len(packages)
    assert done.returncode == 0


def test_each_trains_on_the_demo_project_or_analyses_a_video(packages, run, project, tmp_path):
    trained = {kind: root for kind, root in packages.items() if (root / "configs").exists()}
    run("-c", USE, project, tmp_path / "clip.npy", *trained.values())
    for kind, root in trained.items():
        provenance = (root / "run/provenance.json").read_text()
        assert f'"distribution": "{PREFIX}{kind}"' in provenance, kind
