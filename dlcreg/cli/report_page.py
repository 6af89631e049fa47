"""`dlcreg report`: an evaluation or an analysis as one page."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "report",
        help="an evaluation or an analysis as one page for a browser",
        description="Write metrics, errors of each keypoint and animal, calibration of likelihoods "
        "with suggested cut-offs, learning curves, the worst frames and the origin of it all into "
        "one HTML file that needs no other file and no network.",
    )
    parser.add_argument(
        "source", metavar="SOURCE",
        help="a run's folder, a checkpoint in it, a folder of an evaluation, or the h5 or csv of "
        "an analysis",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", help="the page; by default beside the numbers")
    parser.add_argument("--video", metavar="FILE", help="of an analysis; found beside the result")
    parser.add_argument("--project", metavar="DIR", help="of an evaluation, if it was moved")
    parser.add_argument(
        "--pcutoff", metavar="P", type=float, default=0.6,
        help="of an analysis: likelihood from which a point counts as found; 0.6 by default",
    )  # fmt: skip
    parser.add_argument(
        "--right-within", metavar="SHARE", type=float, default=0.05,
        help="of an evaluation: a point is right within this share of its animal's size; 0.05",
    )  # fmt: skip
    parser.add_argument(
        "--worst", metavar="N", type=int, default=8, help="how many frames are shown; 8"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    from dlcreg.apis.report import report

    page = report(
        args.source,
        args.out,
        video=args.video,
        project=args.project,
        pcutoff=args.pcutoff,
        right_within=args.right_within,
        worst=args.worst,
    )
    print(f"{page} ({page.stat().st_size / 1e6:.1f} MB)")
    return 0
