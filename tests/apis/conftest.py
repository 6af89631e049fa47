"""Projects for the tests of results."""

from __future__ import annotations

import pytest

from dlcreg.data.demo import generate


@pytest.fixture(scope="session")
def two_animals(tmp_path_factory):
    """A small generated project with two animals."""
    root = tmp_path_factory.mktemp("two") / "project"
    return generate(root, frames=4, animals=2, size=(96, 128), video=False)
