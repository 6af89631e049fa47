"""Configs as the text of a file, in Python, YAML or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from dlcreg.config.dump import portable, python_text
from dlcreg.config.markup_file import Loader
from dlcreg.errors import ConfigError

_WIDTH = 100


class _Dumper(yaml.SafeDumper):
    """Quotes what our loader of YAML would read as something else, such as ``'1e-3'``."""

    yaml_implicit_resolvers = Loader.yaml_implicit_resolvers

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value that stands in two places twice."""
        return True


def config_text(data: Mapping[str, Any], suffix: str) -> str:
    """Return a config as the text of a file, which loads to the same values.

    Args:
        data: the config.
        suffix: of the file: ``.py``, ``.yaml``, ``.yml`` or ``.json``. But for the first, these
            know lists alone, no tuples.

    Raises:
        ConfigError: another suffix, or values that are not plain, all of them.
    """
    python = python_text(data)  # refuses what is not plain
    if suffix == ".py":
        return python
    if suffix in (".yaml", ".yml"):
        return yaml.dump(
            portable(data),
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=None,
            width=_WIDTH,
        )
    if suffix == ".json":
        return json.dumps(portable(data), indent=2, ensure_ascii=False) + "\n"
    raise ConfigError(f"a config's file ends in .py, .yaml, .yml or .json, not in {suffix!r}.")
