"""`dlcreg test`: evaluate a checkpoint on the train and the test part of the data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dlcreg.cli.options import add_config, add_run, overrides


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("test", help="evaluate a checkpoint, draw the results")
    add_config(parser, optional=True)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a .pth file of a training")
    parser.add_argument(
        "--proposals",
        metavar="FILE",
        help="for models of crops: measure also with these boxes, JSON of COCO results or a "
        "checkpoint of a detector or of a bottom-up model",
    )
    add_run(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the metrics."""
    from dlcreg.apis import evaluate
    from dlcreg.cli.report import print_metrics

    settings = overrides(args)
    settings.setdefault("work_dir", None)
    result = evaluate(args.config, Path(args.checkpoint), proposals=args.proposals, **settings)
    print_metrics(result.metrics)
    print(f"\nresults: {result.folder}")
    for picture in result.pictures:
        print(f"         {picture}")
    return 0
