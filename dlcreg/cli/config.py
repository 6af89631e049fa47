"""`dlcreg config`: show a config, write it with its defaults, compare two; their JSON Schema."""

from __future__ import annotations

import argparse
from typing import Any

from dlcreg.cli.options import add_config, add_json, print_json


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("config", help="show, fill in, compare configs; their JSON Schema")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    show = actions.add_parser("show", help="print the config with its defaults filled in")
    add_config(show, optional=True)
    add_json(show)
    show.set_defaults(run=run_show)

    fill = actions.add_parser("fill", help="write a config file with every default filled in")
    add_config(fill, optional=True)
    fill.add_argument(
        "--out", metavar="FILE", required=True, help="the .py, .yaml or .json file to write"
    )
    fill.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    fill.set_defaults(run=run_fill)

    diff = actions.add_parser(
        "diff",
        help="what two configs differ in",
        description="Print what two configs differ in, after all that they build on was read. "
        "Exit status: 0 the same, 1 they differ, 2 one cannot be read.",
    )
    for name in ("A", "B"):
        diff.add_argument(name, help="a .py, .yaml or .json config, or a checkpoint (.pth)")
    add_json(diff)
    diff.set_defaults(run=run_diff)

    schema = actions.add_parser(
        "schema",
        help="JSON Schema of all configs, for editors",
        description="Print a JSON Schema (Draft 2020-12) of the YAML and JSON configs, with every "
        "part that is installed here. In an editor with yaml-language-server, a first line "
        "'# yaml-language-server: $schema=dlcreg.schema.json' completes and checks a config.",
    )
    schema.add_argument("--out", metavar="FILE", help="write it into a file")
    schema.set_defaults(run=run_schema)


def run_show(args: argparse.Namespace) -> int:
    """Print the resolved config as Python, or as JSON."""
    from dlcreg.apis.settings import read_config
    from dlcreg.builder import filled
    from dlcreg.config import load_config
    from dlcreg.config.dump import portable

    tree = read_config(args.config, args.cfg_options, project=args.project, split=args.split)
    if args.json:
        print_json(portable(filled(tree)))
    else:
        print(load_config(filled(tree)).dump().rstrip())
    return 0


def run_fill(args: argparse.Namespace) -> int:
    """Write the filled config."""
    from dlcreg.apis.configs import fill
    from dlcreg.apis.settings import read_config

    tree = read_config(args.config, args.cfg_options, project=args.project, split=args.split)
    print(fill(tree, args.out, args.overwrite))
    return 0


def run_diff(args: argparse.Namespace) -> int:
    """Print the differences; 1 if there are any."""
    from dlcreg.apis.configs import compare
    from dlcreg.cli.report import difference_lines, difference_row

    found = compare(args.A, args.B)
    if args.json:
        print_json([difference_row(one) for one in found])
    else:
        for one in found:
            print(difference_lines(one, args.A, args.B))
    return 1 if found else 0


def run_schema(args: argparse.Namespace) -> int:
    """Print the schema, or write it."""
    import json
    from pathlib import Path

    from dlcreg.builder.json_schema import config_schema
    from dlcreg.files import write_text

    if args.out is None:
        print_json(config_schema())
        return 0
    write_text(Path(args.out), json.dumps(config_schema(), indent=2) + "\n")
    print(args.out)
    return 0
