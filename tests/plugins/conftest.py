"""Packages as pip leaves them behind: a module and its metadata in a folder on ``sys.path``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from dlcreg import plugins
from dlcreg.registry import REGISTRIES


@pytest.fixture
def site(tmp_path, monkeypatch) -> Callable[..., None]:
    """Return ``install(distribution, entry_points, version=..., **module_sources)``."""
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
            (folder / f"{module}.py").write_text(dedent(source))
            modules.append(module)
        plugins.refresh()
        return folder

    yield install
    for module in modules:
        sys.modules.pop(module, None)
    plugins.refresh()


@pytest.fixture(autouse=True)
def clean_registries():
    """Take out of the registries what a test put in; the built-ins stay."""
    yield
    for registry in REGISTRIES.values():
        registry._forced.clear()
        registry._replaced.clear()
        for name, classes in list(registry._registered.items()):
            own = [cls for cls in classes if cls.__module__.startswith("dlcreg.")]
            registry._registered[name] = own
            if own:
                registry._module_dict[name] = own[-1]
            else:
                del registry._registered[name], registry._module_dict[name]
