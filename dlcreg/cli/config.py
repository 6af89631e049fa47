"""`dlcreg config show`: the whole resolved config with all defaults."""

from __future__ import annotations

import argparse
from typing import Any

from dlcreg.cli.options import add_config


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("config", help="show a config as it is resolved")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="print the config with its defaults filled in")
    add_config(show, optional=True)
    show.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the resolved config as Python."""
    from dlcreg.apis.settings import read_config
    from dlcreg.builder import filled
    from dlcreg.config import load_config

    tree = read_config(args.config, args.cfg_options, project=args.project, split=args.split)
    print(load_config(filled(tree)).dump().rstrip())
    return 0
