"""`dlcreg filter`: the poses of videos, filtered over time."""

from __future__ import annotations

import argparse
from typing import Any

from dlcreg.cli.several import each


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "filter",
        help="filter the poses of a video over time",
        description="Take jumps out of the poses of a video, smooth them and fill short gaps. The "
        "files are named as DeepLabCut names them, <result>_filtered, and stand beside the result.",
    )
    parser.add_argument(
        "results", metavar="RESULT", nargs="+", help="h5 or csv files of an analysis"
    )
    parser.add_argument(
        "--method", choices=["median", "spline", "arima"], default="median",
        help="running median (default); smoothing spline, weighted by likelihood; Kalman smoother "
        "of an ARIMA process, which needs statsmodels and is slow",
    )  # fmt: skip
    parser.add_argument(
        "--window", metavar="FRAMES", type=int, default=5,
        help="odd; 5 by default. Of a spline, the period of the movements that half remain",
    )  # fmt: skip
    parser.add_argument(
        "--pcutoff", metavar="P", type=float, default=0.0,
        help="points that are less likely count as not found; 0 by default",
    )  # fmt: skip
    parser.add_argument(
        "--max-gap", metavar="FRAMES", type=int,
        help="gaps of at most so many frames are filled; the window by default",
    )  # fmt: skip
    parser.add_argument("--ar", metavar="N", type=int, default=3, help="order of the process: AR")
    parser.add_argument("--ma", metavar="N", type=int, default=1, help="order of the process: MA")
    parser.add_argument(
        "--format", metavar="NAME", nargs="+", default=["h5", "csv"], help="h5 and csv by default"
    )
    parser.add_argument("--out", metavar="DIR", help="folder for the files")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Filter each result; one that cannot be is told of, and the others are done."""
    from dlcreg.apis.filter import filter_result

    def work(result: str) -> None:
        written = filter_result(
            result,
            args.method,
            args.window,
            pcutoff=args.pcutoff,
            max_gap=args.max_gap,
            ar=args.ar,
            ma=args.ma,
            formats=args.format,
            out=args.out,
        )
        print("\n".join(map(str, written)))

    return each(args, args.results, work)
