"""`dlcreg list`: all parts that a config can name."""

from __future__ import annotations

import argparse
from typing import Any

from dlcreg.cli.options import add_json, print_json

_EXIT = "Exit status: 0 listed; 1 nothing fits, or --check found broken parts; 2 a mistake."
_COLUMNS = ("kind", "name", "package", "version", "status", "purpose")


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("list", help="list the parts that a config can name", epilog=_EXIT)
    parser.add_argument("kind", nargs="?", help="heads, backbones, ...; all kinds if left out")
    parser.add_argument(
        "pattern", nargs="?", help="names to list, with wildcards: '*resnet*', 'my-package/*'"
    )
    parser.add_argument(
        "--check", action="store_true", help="import every part, and say what is wrong with it"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what is known of every part; import them only if told to."""
    from dlcreg.registry import REGISTRIES
    from dlcreg.registry.listing import select, tried

    kind, pattern = args.kind, args.pattern
    if kind and pattern is None and any(sign in kind for sign in "*?[/"):
        kind, pattern = None, kind
    listed = select(REGISTRIES, kind, pattern)
    errors: list[str] = []
    if args.check:
        results = [tried(REGISTRIES[row.kind], row) for row in listed]
        listed = [row for row, _ in results]
        errors = [error for _, error in results if error]
    if args.json:
        print_json({"parts": [_shown(row) for row in listed], "errors": errors})
    elif listed:
        _print_table([tuple(_shown(row)[name] for name in _COLUMNS) for row in listed])
        print("".join(f"\n{error}\n" for error in errors), end="")
    else:
        print(f"no part is named {pattern or 'so'}")
    return 1 if errors or not listed else 0


def _shown(row: Any) -> dict[str, str]:
    return {
        "kind": row.kind,
        "name": row.name,
        "package": row.distribution,
        "version": row.version,
        "status": row.status,
        "purpose": row.purpose,
        "target": row.target,
    }


def _print_table(rows: list[tuple[str, ...]]) -> None:
    import shutil

    lines = [_COLUMNS, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_COLUMNS))]
    room = max(20, shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * len(widths[:-1]))
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line[:-1], widths)]
        print("  ".join([*cells, _cut(line[-1], room)]).rstrip())


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 3]}..."
