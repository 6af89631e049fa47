"""`dlcreg outliers`: frames that are worth labelling next."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "outliers",
        help="frames to label next",
        description="Extract frames of an analysed video that the model had trouble with into its "
        "DeepLabCut project, with what it found in them, so that labelling in napari goes on.",
    )
    parser.add_argument("result", metavar="RESULT", help="poses of the video, .h5 or .csv")
    parser.add_argument("--video", metavar="VIDEO", required=True, help="the video")
    parser.add_argument("--project", metavar="DIR", required=True, help="DeepLabCut project")
    parser.add_argument(
        "--method", choices=["uncertain", "jump", "novel"], default="uncertain",
        help="low likelihoods, keypoints that jump, or poses unlike all labelled ones",
    )  # fmt: skip
    parser.add_argument(
        "--count", metavar="N", type=int, default=20, help="most frames to extract; 20 by default"
    )
    parser.add_argument(
        "--pcutoff", metavar="P", type=float, default=0.6,
        help="likelihood below which a keypoint is uncertain, and does not jump; 0.6 by default",
    )  # fmt: skip
    parser.add_argument(
        "--jump", metavar="PIXELS", type=float, default=20.0,
        help="way from frame to frame from which on it is a jump; 20 by default",
    )  # fmt: skip
    parser.add_argument(
        "--gap", metavar="FRAMES", type=int, help="least frames between two that are extracted"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Extract, and print what was added and what to do with it."""
    from dlcreg.apis.outliers import outliers

    found = outliers(
        args.result,
        args.project,
        args.video,
        method=args.method,
        count=args.count,
        pcutoff=args.pcutoff,
        jump=args.jump,
        gap=args.gap,
    )
    if not found.frames:
        print(f"no frame is added: all such are there, or nearer than {found.gap} frames (--gap)")
        return 0
    print(f"{len(found.frames)} frames: {', '.join(map(str, found.frames))}")
    if len(found.frames) < args.count:
        print(f"fewer:   there are no others that are {found.gap} frames apart (--gap)")
    print(f"images:  {found.folder}")
    print(f"poses:   {found.table}")
    print(f"correct: napari {found.folder}")
    return 0
