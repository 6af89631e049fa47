"""Which checks of the built-in parts are for `pytest -m exhaustive`."""

from __future__ import annotations

import re

import pytest

_AGAIN = re.compile(r"test_builtins.*-(overfits|exports)[1-9]\d*\]$")
"""The slow checks of a part with other arguments than those that it is tried with first."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if _AGAIN.search(item.nodeid):
            item.add_marker(pytest.mark.exhaustive)
