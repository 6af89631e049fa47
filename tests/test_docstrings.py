"""The examples in docstrings run, and every public name has a docstring."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import dlcreg


def _modules():
    for module in pkgutil.walk_packages(dlcreg.__path__, "dlcreg."):
        if not module.name.endswith("__main__"):
            yield importlib.import_module(module.name)


def test_examples_in_docstrings_give_what_they_say():
    results = {module.__name__: doctest.testmod(module) for module in _modules()}
    assert sum(result.attempted for result in results.values()) > 0
    failed = {name: result for name, result in results.items() if result.failed}
    assert not failed


def test_public_names_of_dlcreg_resolve_and_are_documented():
    for name in dlcreg.__all__:
        value = getattr(dlcreg, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name
