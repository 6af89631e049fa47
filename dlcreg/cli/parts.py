"""`dlcreg list`: all parts that a config can name."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("list", help="list the parts that a config can name")
    parser.add_argument("kind", nargs="?", help="heads, backbones, ...; all kinds if left out")
    parser.add_argument(
        "--check", action="store_true", help="import every part, and say what is wrong with it"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print name, package, version and status of every part; import them only if told to."""
    from dlcreg.errors import PluginError
    from dlcreg.registry import REGISTRIES

    kinds = [args.kind] if args.kind else list(REGISTRIES)
    if args.kind and args.kind not in REGISTRIES:
        raise PluginError(f"there is no kind {args.kind!r}. Kinds: {', '.join(REGISTRIES)}")
    listed = [(kind, row) for kind in kinds for row in REGISTRIES[kind].listing()]
    errors: list[str] = []
    if args.check:
        listed = [(kind, _tried(REGISTRIES[kind], row, errors)) for kind, row in listed]
    rows = [(kind, *_columns(row)) for kind, row in listed]
    header = ("kind", "name", "package", "version", "status")
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    for line in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    for error in errors:
        print(f"\n{error}")
    return 2 if errors else 0


def _tried(registry: Any, row: Any, errors: list[str]) -> Any:
    """Return the row of a part as it stands once it was imported."""
    from dlcreg.errors import PluginError

    if row.status != "ok" or row.distribution.startswith("("):  # defined here: imported already
        return row
    try:
        registry.get(f"{row.distribution}/{row.name}")
    except PluginError as error:
        errors.append(str(error))
        return replace(row, status="broken")
    return row


def _columns(row: Any) -> tuple[str, str, str, str]:
    return row.name, row.distribution, row.version, row.status
