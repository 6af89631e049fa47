"""`dlcreg label-video`: a video with its poses drawn into it."""

from __future__ import annotations

import argparse
from typing import Any

from dlcreg.cli.several import each


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "label-video",
        help="a video with its poses drawn into it",
        description="Draw the poses of a video into it: H.264 that browsers play. Points below the "
        "cut-off are rings, the fainter the less likely they are.",
    )
    parser.add_argument("videos", metavar="VIDEO", nargs="+", help="videos that were analysed")
    parser.add_argument(
        "--result", metavar="FILE",
        help="h5 or csv of the poses of a single video; by default what lies beside it",
    )  # fmt: skip
    parser.add_argument("--filtered", action="store_true", help="take the filtered poses")
    parser.add_argument("--results", metavar="DIR", help="where the poses lie, if not beside")
    parser.add_argument(
        "--out", metavar="OUT", help="the MP4 to write, or a folder for it; for a single video"
    )
    parser.add_argument(
        "--pcutoff", metavar="P", type=float, default=0.6,
        help="likelihood below which a point is drawn as a ring; 0.6 by default",
    )  # fmt: skip
    parser.add_argument(
        "--trail", metavar="FRAMES", type=int, nargs="?", const=10, default=0,
        help="show where points were in the last frames; 10 where no number is given",
    )  # fmt: skip
    parser.add_argument("--skeleton", action="store_true", help="draw the skeleton")
    parser.add_argument(
        "--project", metavar="DIR",
        help="DeepLabCut project whose skeleton is drawn, for results that say none",
    )  # fmt: skip
    parser.add_argument(
        "--color-by", choices=["keypoint", "individual"],
        help="what has a colour of its own; individuals where there are several",
    )  # fmt: skip
    parser.add_argument("--boxes", action="store_true", help="draw boxes around the animals")
    parser.add_argument("--dot", metavar="PIXELS", type=float, help="radius of the points")
    parser.add_argument("--workers", metavar="N", type=int, help="threads that draw")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Label each video; one that cannot be is told of, and the others are done."""
    from dlcreg.apis.label_video import label_video
    from dlcreg.cli.progress import progress
    from dlcreg.errors import DlcregError

    if len(args.videos) > 1 and (args.result or args.out):
        raise DlcregError("--result and --out are for a single video: use --results DIR instead")

    def work(video: str) -> None:
        with progress(video) as advance:
            made = label_video(
                video,
                args.result,
                filtered=args.filtered,
                folder=args.results,
                out=args.out,
                pcutoff=args.pcutoff,
                trail=args.trail,
                skeleton=args.skeleton,
                project=args.project,
                color_by=args.color_by,
                boxes=args.boxes,
                dot=args.dot,
                workers=args.workers,
                progress=advance,
            )
        rate = made.frames / max(made.seconds, 1e-9)
        lost = f", {made.unreadable} unreadable" if made.unreadable else ""
        print(f"{made.path}: {made.frames} frames, {rate:.0f} a second{lost}")

    return each(args, args.videos, work)
