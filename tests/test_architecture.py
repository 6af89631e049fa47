"""Imports run one way, and built-ins have no privileges."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

LAYERS = {
    "errors": 0, "files": 0, "flipping": 0, "similarity": 0, "conditioning": 0,
    "structures": 0, "recording": 0, "contracts": 0,
    "plugins": 1, "registry": 1, "schema": 1, "config": 1, "wiring": 1,
    "models": 2, "data": 2, "solvers": 2,
    "trace": 3, "trace_detectors": 3, "trace_heads": 3, "builder": 3,
    "inference": 4,
    "analysis": 5,
    "apis": 6, "scaffold": 6, "doctor": 6,
    "cli": 7, "testing": 7,
}  # fmt: skip
ROOMS = {"models", "data", "solvers"}


def _modules(repo: Path) -> list[Path]:
    return sorted((repo / "dlcreg").rglob("*.py"))


def _room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = {alias.name for alias in node.names}
            found |= {f"dlcreg.{n}" for n in names} if node.module == "dlcreg" else {node.module}
    return {name for name in found if name.split(".")[0] == "dlcreg"}


def test_no_module_imports_from_a_layer_above_it(repo):
    wrong = []
    for path in _modules(repo):
        room = path.relative_to(repo / "dlcreg").parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue
        assert room in LAYERS, f"{path} is in no layer"
        for name in _imports(path):
            other = _room(name)
            if other not in LAYERS:
                continue
            if LAYERS[other] > LAYERS[room] or (other != room and {other, room} <= ROOMS):
                wrong.append(f"{path.relative_to(repo)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_no_module_outside_a_room_names_a_class_of_the_table(repo):
    """No special case: config, wiring, builder and apis know contracts, not built-in classes."""
    import configparser

    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read(repo / "setup.cfg")
    entry_points = parser["options.entry_points"]
    parts = {
        line.split("=")[0].strip()
        for group, lines in entry_points.items()
        if group not in ("console_scripts", "dlcreg.api", "dlcreg.models", "dlcreg.datasets")
        for line in lines.strip().splitlines()
    }
    wrong = []
    for room in ("schema", "config", "wiring", "builder", "trace", "apis", "cli"):
        target = repo / "dlcreg" / room
        files = list(target.rglob("*.py")) if target.is_dir() else [target.with_suffix(".py")]
        for path in files:
            names = {n.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}
            wrong += [f"{path.relative_to(repo)} names {name}" for name in names & parts]
    assert not wrong, "\n".join(wrong)


def test_mmengine_runner_is_never_imported(repo):
    for path in _modules(repo):
        assert "mmengine.runner" not in path.read_text(), path


@pytest.mark.parametrize("name", ["dlcreg", "dlcreg.cli"])
def test_light_modules_import_no_torch(name):
    import subprocess
    import sys

    code = f"import {name}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
