"""The table of entry points in setup.cfg and the decorators hold the same parts."""

from __future__ import annotations

import configparser
import importlib
import pkgutil

import dlcreg
from dlcreg.registry import REGISTRIES, target_of


def _table(repo) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read(repo / "setup.cfg")
    table = {}
    for group, lines in parser["options.entry_points"].items():
        pairs = [line.split("=") for line in lines.strip().splitlines()]
        table[group] = {name.strip(): value.strip() for name, value in pairs}
    return table


def test_every_line_of_the_table_is_registered_under_its_name(repo):
    for name, registry in REGISTRIES.items():
        for part, target in _table(repo).get(registry.group, {}).items():
            cls = registry.get(f"dlcreg/{part}")
            assert target_of(cls) == target, f"{name}: {part}"
            assert cls in registry._registered[part]


def test_every_decorated_class_of_dlcreg_is_in_the_table(repo):
    for module in pkgutil.walk_packages(dlcreg.__path__, "dlcreg."):
        if not module.name.startswith("dlcreg.testing"):
            importlib.import_module(module.name)
    table = _table(repo)
    for registry in REGISTRIES.values():
        for name, classes in registry._registered.items():
            for cls in classes:
                if cls.__module__.startswith("dlcreg."):
                    assert table[registry.group].get(name) == target_of(cls)
