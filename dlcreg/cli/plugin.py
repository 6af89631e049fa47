"""`dlcreg plugin`: make a package with a part of one's own, and check one."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the sub-commands."""
    parser = commands.add_parser("plugin", help="make a plug-in package, or check one")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="write a package that installs, tests and trains at once")
    new.add_argument("kind", metavar="KIND", help="backbone, neck, head, codec, loss, ...")
    new.add_argument("name", metavar="NAME", help="name of the package, such as my-head")
    new.add_argument("--out", metavar="DIR", default=".", help="folder to make it in")
    new.add_argument(
        "--author", metavar="NAME", default="", help="for the metadata and the licence"
    )
    new.add_argument(
        "--licence",
        "--license",
        default="MIT",
        metavar="SPDX",
        help="MIT (by default), BSD-3-Clause or Apache-2.0",
    )
    new.add_argument(
        "--class-name", metavar="CLASS", default="", help="by default NAME's: my-head makes MyHead"
    )
    new.set_defaults(run=run_new)


def run_new(args: argparse.Namespace) -> int:
    """Make the package and print how to go on."""
    from dlcreg.scaffold import new_plugin

    made = new_plugin(
        args.kind,
        args.name,
        out=args.out,
        author=args.author,
        licence=args.licence,
        class_name=args.class_name,
    )
    print(f"{made.root}: a package with {made.registry}/{made.class_name}")
    for file in made.files:
        print(f"  {file}")
    print("\nnext:")
    for command in _next_steps(made.root, made.name):
        print(f"  {command}")
    return 0


def _next_steps(root: Path, name: str) -> list[str]:
    return [
        f"cd {shlex.quote(str(root))}",
        "pip install -e '.[test]'",
        "pytest",
        f"dlcreg plugin check {name}",
        "dlcreg demo --work-dir demo --project-only",
        "dlcreg train configs/demo.py --project demo/project",
    ]
