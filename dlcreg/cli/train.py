"""`dlcreg train`: from a config to a trained and evaluated model."""

from __future__ import annotations

import argparse
from typing import Any

from dlcreg.cli.options import add_config, add_run, overrides


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("train", help="train a model, evaluate it, draw the results")
    add_config(parser, optional=True)
    add_run(parser)
    parser.add_argument(
        "--weights", metavar="FILE.pth", help="checkpoint whose weights the training starts from"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--overwrite", action="store_true", help="throw away an earlier run in the work dir"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train and print where the results are."""
    from dlcreg.apis import train
    from dlcreg.cli.report import print_metrics

    result = train(
        args.config,
        weights=args.weights,
        resume=args.resume,
        overwrite=args.overwrite,
        **overrides(args),
    )
    print_metrics(result.metrics)
    print(f"\nresults: {result.work_dir}")
    for picture in result.pictures:
        print(f"         {picture}")
    print(f"\nnext:    dlcreg test {result.checkpoint}")
    return 0
