"""`dlcreg plot`: figures of the poses of a video."""

from __future__ import annotations

import argparse
from typing import Any

from dlcreg.cli.several import each


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "plot",
        help="figures of the poses of a video",
        description="Draw trajectories, coordinates and likelihoods over time and the jumps from "
        "frame to frame, for each animal, into plot-poses/<video> beside the result.",
    )
    parser.add_argument(
        "results", metavar="RESULT", nargs="+", help="h5 or csv files of an analysis"
    )
    parser.add_argument(
        "--video", metavar="FILE", help="whose first frame to show; found beside the result"
    )
    parser.add_argument(
        "--pcutoff", metavar="P", type=float, default=0.6,
        help="likelihood below which a point counts as missing; 0.6 by default",
    )  # fmt: skip
    parser.add_argument(
        "--individual", metavar="NAME", nargs="+", default=[], action="extend",
        help="whom to draw; everyone by default",
    )  # fmt: skip
    parser.add_argument("--out", metavar="DIR", help="folder for the figures of a single result")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draw each result; one that cannot be is told of, and the others are done."""
    from dlcreg.apis.plot import plot_result
    from dlcreg.errors import DlcregError

    if len(args.results) > 1 and (args.out or args.video):
        raise DlcregError("--out and --video are for a single result")

    def work(result: str) -> None:
        written = plot_result(
            result,
            video=args.video,
            pcutoff=args.pcutoff,
            individuals=tuple(args.individual),
            out=args.out,
        )
        print("\n".join(map(str, written)))

    return each(args, args.results, work)
