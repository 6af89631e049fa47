"""Registries that each test leaves as it found them."""

from __future__ import annotations

import pytest

from dlcreg.registry import REGISTRIES


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
