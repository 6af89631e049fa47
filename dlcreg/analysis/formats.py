"""Formats by the short names that users write: ``--format h5 csv``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.analysis.short_names import full_name
from dlcreg.contracts import Writer
from dlcreg.registry import WRITERS
from dlcreg.wiring import construct


def format_names() -> dict[str, str]:
    """Return the writers that are known, by short name: ``h5`` for ``H5Writer``.

    The short name is that of the class in lower case without ``Writer`` at its end. Nothing is
    imported.
    """
    return {name.removesuffix("Writer").lower(): name for name in WRITERS.names()}


def build_writer(name: str | Mapping[str, Any]) -> Writer:
    """Return the writer of a format.

    Args:
        name: short name such as ``h5``, or what a config may write as ``type=``; or a dict with
            such a ``type`` and options, such as ``dict(type="parquet", compression="snappy")``.

    Raises:
        DlcregError: there is none, or it does not take these options.
    """
    config = {"type": name} if isinstance(name, str) else dict(name)
    known = config.get("type")
    if isinstance(known, str):
        config["type"] = full_name("format", known, format_names())
    writer: Writer = construct(WRITERS, config, {}, "writer")
    return writer
