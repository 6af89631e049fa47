"""A small project, and a small config of it in two files."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent

import pytest

from dlcreg.data.demo import generate

CONFIG = """\
_base_ = 'runtime.py'
model = dict(
    backbone=dict(type='ResNet', depth=18, output_stride=16),
    neck=dict(type='IdentityNeck'),
    head=dict(
        type='HeatmapHead',
        codec=dict(type='GaussianHeatmap', sigma=2.0),
        losses=dict(heatmap=dict(type='MSELoss')),
    ),
)
data = dict(
    train=dict(
        type='PoseDataset',
        project=dict(root='project'),
        transform=[dict(type='Flip'), dict(type='Affine', rotation=30)],
    ),
    val=dict(type='PoseDataset', project=dict(root='project'), mode='val'),
    test=dict(type='PoseDataset', project=dict(root='project'), mode='test'),
    split=dict(train_fraction=0.8, val_fraction=0.25),
    batch_size=2,
)
"""

RUNTIME = """\
solver = dict(
    optimizer=dict(type='AdamW', lr=5e-4),
    schedule=[dict(type='MultiStepLR', milestones=[2])],
    max_epochs=3,
    metrics=[dict(type='PixelError')],
)
"""


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> Path:
    """A project of 12 frames of one animal."""
    return generate(tmp_path_factory.mktemp("project"), frames=12, size=(64, 96), video=False)


@pytest.fixture(scope="session")
def two_animals(tmp_path_factory) -> Path:
    """A project of 6 frames of two animals."""
    folder = tmp_path_factory.mktemp("two")
    return generate(folder, frames=6, animals=2, size=(64, 96), video=False)


@pytest.fixture
def folder(tmp_path, monkeypatch, generated) -> Path:
    """The current folder, with ``config.py``, the ``runtime.py`` it builds on, and ``project``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project").symlink_to(generated)
    (tmp_path / "runtime.py").write_text(RUNTIME)
    (tmp_path / "config.py").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def change(folder):
    """Return ``change(old, new, file='config.py')``, which edits a config."""

    def edit(old: str, new: str, file: str = "config.py") -> None:
        text = (folder / file).read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        (folder / file).write_text(text.replace(old, new))

    return edit


@pytest.fixture
def own_project(folder) -> Path:
    """A copy of the project that a test may spoil."""
    target = (folder / "project").resolve()
    (folder / "project").unlink()
    shutil.copytree(target, folder / "project")
    return folder / "project"


def text(block: str) -> str:
    """Return an expected message, written as an indented block."""
    return dedent(block).strip("\n")
