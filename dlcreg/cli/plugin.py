"""`dlcreg plugin`: make a package with a part of one's own, and check one."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcreg.cli.options import add_json, print_json


def add_parser(commands: Any) -> None:
    """Add the sub-commands."""
    parser = commands.add_parser("plugin", help="make a plug-in package, or check one")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="write a package that installs, tests and runs at once")
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
    check = actions.add_parser("check", help="hold a package and all its parts to the contracts")
    check.add_argument("package", metavar="PACKAGE", help="name of an installed package")
    add_json(check)
    check.set_defaults(run=run_check)


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
    for command in _next_steps(made.root, made.name, made.commands):
        print(f"  {command}")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Print what the checks say; return 1 if one failed."""
    from dataclasses import asdict

    from dlcreg.testing import check_package

    report = check_package(args.package)
    if args.json:
        print_json({**asdict(report), "passed": not report.failed})
    else:
        print("\n".join(_report_lines(report)))
    return 1 if report.failed else 0


def _report_lines(report: Any) -> list[str]:
    """Return a line of counts for each part, then each check that failed and its remedy."""
    header = ("part", "passed", "skipped", "failed")
    rows = [header]
    for part, results in report.results.items():
        statuses = [result.status for result in results]
        rows.append((part, *(str(statuses.count(status)) for status in header[1:])))
    width = max(len(row[0]) for row in rows)
    lines = [f"{report.distribution} {report.version}"]
    lines += ["  ".join([row[0].ljust(width), *(n.rjust(7) for n in row[1:])]) for row in rows]
    for part, result in report.failed:
        lines += ["", f"FAILED {part} {result.check}", f"  {result.message}"]
    if not report.failed:
        lines += ["", "all checks passed"]
    return lines


def _next_steps(root: Path, name: str, commands: Sequence[str]) -> list[str]:
    return [
        f"cd {shlex.quote(str(root))}",
        "pip install -e '.[test]'",
        "python -m pytest",
        f"dlcreg plugin check {name}",
        *commands,
    ]
