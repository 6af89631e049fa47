"""Configs in Python, YAML and JSON, with the place of every value."""

from dlcreg.config.load import load_config
from dlcreg.config.tree import ConfigTree

__all__ = ["ConfigTree", "load_config"]
