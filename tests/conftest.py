"""Fixtures that all tests share."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch
from hypothesis import settings

from dlcreg import plugins

sys.path.insert(0, str(Path(__file__).with_name("helpers")))

from codec_files import MARK, CodecFile
from processes import Processes
from small_network import small_config

REPO = Path(__file__).resolve().parents[1]
torch.set_num_threads(1)  # two would wait for one another on a busy machine

settings.register_profile("dlcreg", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("dlcreg")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Draw the same numbers in a test whichever tests ran before it, and its fixtures likewise."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and golden files, beside the checkout or where DLCREG_SHARED points."""
    path = Path(os.environ.get("DLCREG_SHARED", REPO.parent / "shared"))
    if not (path / "data").is_dir():
        pytest.skip(f"no real data at {path}; set DLCREG_SHARED to use it")
    return path


@pytest.fixture(scope="session")
def golden(shared: Path):
    """The loader of golden files: ``golden("hrnet_w18_256x192").outputs``."""
    folder = shared / "golden"
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("golden", folder / "golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.load
    sys.path.remove(str(folder))


@pytest.fixture
def codec_files(request: pytest.FixtureRequest, shared: Path) -> Iterator[list[CodecFile]]:
    """The golden files that the test's marks ``codec_file`` name, held to them when it ends."""
    marks = [mark.args for mark in request.node.iter_markers(MARK)]
    files = [CodecFile(shared / "golden" / "out" / f"{name}.npz") for name, *_ in marks]
    yield files
    for file, (_, *patterns) in zip(files, marks, strict=True):
        file.check(patterns)


@pytest.fixture
def codec_file(codec_files: list[CodecFile]) -> CodecFile:
    """The golden file that the test's mark ``codec_file`` names."""
    (file,) = codec_files
    return file


@pytest.fixture(scope="session")
def demo_project(tmp_path_factory) -> Path:
    """A small generated DeepLabCut project with one animal; tests must not change it."""
    from dlcreg.data.demo import generate

    root = tmp_path_factory.mktemp("demo") / "project"
    return generate(root, frames=20, size=(96, 128), video=False)


@pytest.fixture(scope="session")
def checkpoint(demo_project, tmp_path_factory) -> Path:
    """The checkpoint of a small model of one animal, trained for an epoch."""
    from dlcreg.apis import train

    folder = tmp_path_factory.mktemp("checkpoint")
    return train(small_config(demo_project), work_dir=folder).checkpoint


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> Path:
    """The Python of an environment over this one, into which tests install what they like."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    below = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    lines = [f"import site; site.addsitedir({path!r})\n" for path in below]
    (site_packages / "below.pth").write_text("".join(lines))
    return folder / "bin/python"


@pytest.fixture(scope="session")
def processes(environment) -> Iterator[Processes]:
    """Starts Python processes as a shell does, in that environment; see helpers/processes.py."""
    with Processes(environment) as running:
        yield running


@pytest.fixture
def site(tmp_path, monkeypatch) -> Callable[..., None]:
    """Packages as pip leaves them behind: a module and its metadata in a folder on ``sys.path``.

    Returns ``install(distribution, entry_points, version=..., **module_sources)``.
    """
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    modules: list[str] = []

    def install(distribution: str, entry_points: str, version: str = "1.0", **sources: str) -> Path:
        info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(dedent(entry_points))
        for module, source in sources.items():
            path = folder / f"{module}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(source))
            modules.append(module.removesuffix("/__init__").replace("/", "."))
        plugins.refresh()
        return folder

    yield install
    for module in modules:
        sys.modules.pop(module, None)
    plugins.refresh()
