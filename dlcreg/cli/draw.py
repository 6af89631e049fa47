"""`dlcreg draw`: pictures of what a model does."""

from __future__ import annotations

import argparse
from typing import Any

from dlcreg.cli.options import add_overrides


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("draw", help="pictures of what a model does")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    attention = actions.add_parser(
        "attention",
        help="which parts of an image each keypoint is found by",
        description="Draw for each keypoint which parts of an image every layer of a transformer "
        "attends to at the place where the keypoint was found, and how much its likelihood hangs "
        "on each place.",
    )
    attention.add_argument(
        "source", metavar="CHECKPOINT", help="a .pth file of a training, or a config"
    )
    attention.add_argument("image", metavar="IMAGE", help="an image file")
    attention.add_argument(
        "--keypoint", metavar="NAME", nargs="+", default=[], action="extend",
        help="which keypoints; by default the six that the model is surest of",
    )  # fmt: skip
    attention.add_argument(
        "--box", metavar=("X", "Y", "WIDTH", "HEIGHT"), nargs=4, type=float,
        help="where the animal is, for models of instance crops; by default the whole image",
    )  # fmt: skip
    attention.add_argument("--out", metavar="FILE", help="the PNG to write")
    attention.add_argument("--device", metavar="D", help="cpu, cuda, ...; chosen if left out")
    add_overrides(attention)
    attention.set_defaults(run=run_attention)


def run_attention(args: argparse.Namespace) -> int:
    """Draw, and print the picture's name."""
    from dlcreg.apis.draw import draw_attention

    picture = draw_attention(
        args.source,
        args.image,
        args.out,
        keypoints=args.keypoint,
        box=args.box,
        options=args.cfg_options,
        project=args.project,
        device=args.device,
    )
    print(picture)
    return 0
