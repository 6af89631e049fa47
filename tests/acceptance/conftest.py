"""A tiny config and the command line as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TINY = """
_transform = [dict(type="Resize", longest=128)]
model = dict(
    type="PoseModel",
    backbone=dict(type="ResNet", depth=18, out_indices=(1,)),
    head=dict(
        type="{head}",
        codec=dict(type="GaussianHeatmap", sigma=1.0),
        losses=dict(heatmap=dict(type="MSELoss")),
    ),
)
data = dict(
    train=dict(type="PoseDataset", project=dict(root="{root}"), mode="train", transform=_transform),
    test=dict(type="PoseDataset", project=dict(root="{root}"), mode="test", transform=_transform),
    batch_size=8,
)
solver = dict(
    optimizer=dict(type="SGD", lr=0.01), max_epochs=1, metrics=[dict(type="PixelError")]
)
"""

BUILD = """
import os, sys
from setuptools import build_meta

folder, *roots = sys.argv[1:]
for root in roots:
    os.chdir(root)
    build_meta.build_wheel(folder)
"""


@pytest.fixture
def tiny_config(tmp_path, demo_project):
    """Return a function that writes a config which trains one epoch in seconds."""

    def write(head: str = "HeatmapHead", root: Path = demo_project) -> Path:
        path = tmp_path / "tiny.py"
        path.write_text(TINY.format(head=head, root=root.as_posix()))
        return path

    return write


@pytest.fixture
def run(tmp_path, processes):
    """Return a function that runs Python as a user does, in an empty folder."""

    def call(*args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        result = processes.run(*args, cwd=tmp_path, OMP_NUM_THREADS="1", COLUMNS="120")
        if check and result.returncode:
            pytest.fail(f"{args} ended with {result.returncode}\n{result.stdout}\n{result.stderr}")
        return result

    return call


@pytest.fixture(scope="session")
def pip(environment):
    """Return a function that calls pip; a failure fails the test."""

    def call(*args: str | Path) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", environment]
        command = [*map(str, pip), *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{command}\n{done.stdout}\n{done.stderr}")

    return call


@pytest.fixture(scope="session")
def wheels(processes, tmp_path_factory):
    """Return a function that builds the wheels of packages, as pip would, and returns them."""

    def call(*roots: Path) -> list[Path]:
        folder = tmp_path_factory.mktemp("wheels")
        done = processes.run("-c", BUILD, folder, *roots)
        if done.returncode:
            pytest.fail(f"{roots}\n{done.stdout}\n{done.stderr}")
        return sorted(folder.glob("*.whl"))

    return call
