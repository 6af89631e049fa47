"""`dlcreg export`: a trained model as a file that other programs run."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "export",
        help="a model as an ONNX file",
        description="Write a trained model as an ONNX file or a program of torch.export: frames "
        "in, poses out. It serves `dlcreg predict` and `dlcreg analyze` as a checkpoint does.",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a .pth file of a training")
    parser.add_argument(
        "--out", metavar="FILE",
        help="file to write, .onnx or .pt2; .onnx beside the checkpoint by default",
    )  # fmt: skip
    parser.add_argument(
        "--size", metavar=("HEIGHT", "WIDTH"), nargs=2, type=int,
        help="of the frames; that of the first image by default",
    )  # fmt: skip
    parser.add_argument(
        "--images", metavar="IMAGES", nargs="+", default=[],
        help="image files, folders, COCO files: to measure by how much the file differs",
    )  # fmt: skip
    parser.add_argument(
        "--precision", choices=["fp32", "fp16", "int8"], default="fp32",
        help="of the numbers inside; int8 needs --images",
    )  # fmt: skip
    parser.add_argument(
        "--proposals", metavar="X",
        help="for models that see one animal at a time, to compare by: see `dlcreg predict`",
    )  # fmt: skip
    parser.add_argument(
        "--cfg-options", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
        help="values that replace those of the checkpoint's config",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export, and print what is in the file and how far it is from the model."""
    from dlcreg.apis.export import export

    result = export(
        args.checkpoint,
        args.out,
        size=None if args.size is None else tuple(args.size),
        images=args.images,
        precision=args.precision,
        proposals=args.proposals,
        options=args.cfg_options,
    )
    about, graph = result.graph.about, result.graph
    height, width = about["size"]
    what = "crops" if graph.crops else "frames"
    print(f"{result.out}: {', '.join(graph.inputs)} to {', '.join(graph.outputs)}")
    print(f"  {what} of {width} x {height} pixels, uint8 RGB (batch, height, width, 3)")
    for note in graph.notes:
        print(f"  not in the file: {note}")
    far = result.deviation
    if far is None:
        print("  not compared with the model: give --images")
        return 0
    print(
        f"  {far.images} images: keypoints differ by up to {far.largest:.3g} px, {far.mean:.2g} px "
        f"in the mean, likelihoods by up to {far.score:.2g}"
    )
    if far.unmatched:
        print(f"  {far.unmatched} animals or keypoints were found by one of the two only")
    return 0
