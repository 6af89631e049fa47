"""Configs written with their defaults, and compared."""

from __future__ import annotations

from pathlib import Path

from dlcreg.apis.settings import ConfigSource, read_config
from dlcreg.builder import check, filled
from dlcreg.config import ConfigTree, load_config
from dlcreg.config.difference import Difference, differences
from dlcreg.config.write import config_text
from dlcreg.errors import CheckpointError, ConfigError, DlcregError
from dlcreg.files import write_text
from dlcreg.solvers import checkpoint as checkpoints


def fill(config: ConfigSource | None, out: str | Path, overwrite: bool = False) -> Path:
    """Write a config with the defaults of all its parts; it loads to the same as the config.

    Args:
        config: the config; None for dlcreg's default.
        out: the file to write, ``.py``, ``.yaml`` or ``.json``.
        overwrite: whether a file that is there already may be replaced.

    Raises:
        ConfigError: the config has mistakes, or values that cannot be written.
        DlcregError: the file is there already, or cannot be written.
    """
    path = Path(out)
    text = config_text(filled(read_config(config)), path.suffix.lower())
    if path.exists() and not overwrite:
        raise DlcregError(f"{path} is there already. Take another name, or --overwrite.")
    write_text(path, text)
    problems = check(path, open_data=False)
    if problems:
        raise ConfigError(problems)
    return path


def compare(left: ConfigSource, right: ConfigSource) -> list[Difference]:
    """Return what two configs differ in; each may also be a checkpoint, whose config is meant.

    Raises:
        ConfigError: a config cannot be read.
        CheckpointError: a checkpoint cannot be read, or carries no config.
    """
    return differences(read_config_of(left), read_config_of(right))


def read_config_of(source: ConfigSource) -> ConfigTree:
    """Return a config, or the config that a checkpoint carries."""
    if not checkpoints.is_checkpoint(source):
        return load_config(source)
    config = checkpoints.load(str(source)).get("config")
    if not config:
        raise CheckpointError(f"{source} carries no config.")
    return ConfigTree(config)
