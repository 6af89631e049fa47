"""`dlcreg demo`: a generated project, a trained and evaluated model, pictures."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "demo", help="generate a project, train and evaluate a model on it"
    )
    parser.add_argument("--work-dir", metavar="DIR", default="dlcreg-demo", help="folder to make")
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, mps; chosen if left out")
    parser.add_argument("--epochs", type=int, metavar="N", help="fewer or more epochs")
    parser.add_argument(
        "--project-only", action="store_true", help="generate the project, and train nothing"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo and say how to go on."""
    from dlcreg.apis import demo, demo_project
    from dlcreg.cli.report import print_metrics

    if args.project_only:
        print(f"project: {demo_project(args.work_dir)}")
        return 0
    result = demo(args.work_dir, device=args.device, epochs=args.epochs)
    print_metrics(result.metrics)
    print(f"\nproject:  {result.project}\nresults:  {result.work_dir}\npictures:")
    for picture in result.pictures:
        print(f"  {picture}")
    print("\nnext, your own DeepLabCut project:\n  dlcreg train --project PATH/TO/PROJECT")
    return 0
