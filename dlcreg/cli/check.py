"""`dlcreg check`: every mistake of a config before anything is trained."""

from __future__ import annotations

import argparse
from typing import Any

from dlcreg.cli.options import add_config


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("check", help="check a config without training")
    add_config(parser)
    parser.add_argument(
        "--no-data", action="store_true", help="check the config alone, without opening its data"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print all problems, or that there are none."""
    from dlcreg.apis.settings import read_config
    from dlcreg.builder import check
    from dlcreg.errors import ConfigError

    tree = read_config(args.config, args.cfg_options, project=args.project, split=args.split)
    problems = check(tree, open_data=not args.no_data)
    if problems:
        raise ConfigError(problems)
    print(f"{args.config}: no problems")
    return 0
