"""First way in: a third party's package, installed with pip, found by its entry point."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

MODULE = '''
"""A head of two convolutions."""

from torch import Tensor, nn

from dlcreg import HEADS, Codec, Head, Loss


@HEADS.register_module()
class TwoLayerHead(Head):
    """Maps from two convolutions."""

    def __init__(
        self,
        in_channels: int,
        in_strides: int,
        num_keypoints: int,
        codec: Codec,
        losses: dict[str, Loss],
        width: int = 16,
    ) -> None:
        super().__init__(codec, losses, stride=in_strides)
        self.hidden = nn.Sequential(nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU())
        self.out = nn.Conv2d(width, codec.output_channels(num_keypoints)["heatmap"], 1)

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        return {"heatmap": self.out(self.hidden(features[0]))}
'''


def _package(folder: Path, name: str, version: str) -> Path:
    module = name.replace("-", "_")
    root = folder / name
    (root / module).mkdir(parents=True)
    (root / module / "__init__.py").write_text("")
    (root / module / "heads.py").write_text(MODULE)
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    (root / "setup.cfg").write_text(
        dedent(
            f"""
            [metadata]
            name = {name}
            version = {version}
            [options]
            packages = {module}
            [options.entry_points]
            dlcreg.heads =
                TwoLayerHead = {module}.heads:TwoLayerHead
            dlcreg.api =
                1.0 = {module}
            """
        )
    )
    return root


@pytest.fixture
def installed(tmp_path, pip):
    """Return a function that pip-installs a package of a head; all are uninstalled at the end."""
    names: list[str] = []

    def install(name: str, version: str = "1.2.3") -> None:
        names.append(name)
        root = _package(tmp_path / "sources", name, version)
        pip("install", "--no-deps", "--no-build-isolation", "--no-index", root)

    yield install
    if names:
        pip("uninstall", "-y", *names)


def _location(run, module: str) -> Path:
    code = f"import importlib.util as u; print(u.find_spec({module!r}).origin)"
    return Path(run("-c", code).stdout.strip())


def test_an_installed_head_trains_and_is_listed_and_can_break_alone(
    installed, run, pip, repo, tiny_config, tmp_path
):
    installed("acceptance-two-layer-head")

    listing = run("-m", "dlcreg", "list", "heads").stdout
    (line,) = [row for row in listing.splitlines() if "TwoLayerHead" in row]
    start = ["heads", "TwoLayerHead", "acceptance-two-layer-head", "1.2.3", "ok"]
    assert line.split()[:5] == start

    config = tiny_config(head="TwoLayerHead")
    run(repo / "tools/train.py", config, "--work-dir", "run")
    provenance = (tmp_path / "run/provenance.json").read_text()
    assert '"distribution": "acceptance-two-layer-head"' in provenance
    assert '"version": "1.2.3"' in provenance

    config.write_text(config.read_text().replace("codec=", "widht=32, codec="))
    misspelt = run("-m", "dlcreg", "check", config, check=False).stderr.splitlines()
    assert misspelt[0].endswith(
        "model.head.widht: TwoLayerHead of package acceptance-two-layer-head 1.2.3 takes no "
        "'widht'. Did you mean 'width'? It takes: in_channels, in_strides, num_keypoints, codec, "
        "losses, width."
    )
    assert "tiny.py:8:9: " in misspelt[0]
    assert misspelt[1].strip().startswith("widht=32, codec=")
    assert misspelt[2].index("^") == misspelt[1].index("widht")
    config = tiny_config(head="TwoLayerHead")

    _location(run, "acceptance_two_layer_head.heads").write_text("import nothing_of_this_name\n")
    broken = run(repo / "tools/train.py", config, "--work-dir", "other", check=False)
    assert broken.returncode == 2
    assert "Traceback" not in broken.stderr
    assert "tiny.py:7" in broken.stderr
    assert (
        "package acceptance-two-layer-head 1.2.3 failed with ModuleNotFoundError" in broken.stderr
    )
    assert "pip install --upgrade --force-reinstall acceptance-two-layer-head" in broken.stderr
    assert not (tmp_path / "other").exists()

    check = run("-m", "dlcreg", "check", tiny_config(head="HeatmapHead"))
    assert "no problems" in check.stdout

    pip("uninstall", "-y", "acceptance-two-layer-head")
    checkpoint = next((tmp_path / "run").glob("*.pth"))
    orphan = run(repo / "tools/test.py", checkpoint, "--work-dir", "other", check=False)
    assert orphan.returncode == 2
    assert "heads/TwoLayerHead of acceptance-two-layer-head 1.2.3" in orphan.stderr
    assert "pip install acceptance-two-layer-head==1.2.3" in orphan.stderr


def test_two_packages_with_one_name_are_refused_with_both_qualified_names(
    installed, run, tiny_config
):
    installed("acceptance-twin-a")
    installed("acceptance-twin-b")
    clash = run("-m", "dlcreg", "check", tiny_config(head="TwoLayerHead"), check=False)
    assert clash.returncode == 2
    assert "'acceptance-twin-a/TwoLayerHead' or 'acceptance-twin-b/TwoLayerHead'" in clash.stderr
    chosen = run("-m", "dlcreg", "check", tiny_config(head="acceptance-twin-b/TwoLayerHead"))
    assert "no problems" in chosen.stdout
