"""`dlcreg predict`: poses in images that nobody labelled."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "predict",
        help="poses in images",
        description="Find poses in images with a trained model. The results are in COCO's format, "
        "and so proposals or conditions for another model (--proposals).",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a .pth file of a training")
    parser.add_argument(
        "images", metavar="IMAGES", nargs="+", help="image files, folders of such, COCO files"
    )
    parser.add_argument(
        "--out", metavar="FILE", default="predictions.json",
        help="COCO results to write; predictions.json by default",
    )  # fmt: skip
    parser.add_argument(
        "--draw", metavar="DIR", help="draw each image with its poses, or its boxes, into DIR"
    )
    parser.add_argument(
        "--pcutoff", metavar="P", type=float,
        help="likelihood below which a keypoint is drawn as a ring; that of the config by default",
    )  # fmt: skip
    parser.add_argument(
        "--skip-damaged", action="store_true",
        help="go on after an image that cannot be read, and name it at the end",
    )  # fmt: skip
    add_model_options(parser, "images at once; by default as many as pay and fit")
    parser.set_defaults(run=run)


def add_model_options(parser: argparse.ArgumentParser, batch_size: str) -> None:
    """Add the options of `Predictor`.

    Args:
        parser: of a command that predicts.
        batch_size: what its help says of ``--batch-size``.
    """
    parser.add_argument(
        "--proposals", metavar="X",
        help="for models that see one animal at a time: the checkpoint of a detector or of a model "
        "that sees whole images, or a JSON file of its results",
    )  # fmt: skip
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, mps; chosen if left out")
    parser.add_argument(
        "--batch-size", metavar="N", type=_batch_size, default="auto",
        help=batch_size,
    )  # fmt: skip
    parser.add_argument(
        "--precision", choices=["fp32", "bf16", "fp16", "auto"],
        help="of the forward pass; by default that of the config, in which it was measured",
    )  # fmt: skip
    parser.add_argument(
        "--flip-test", action=argparse.BooleanOptionalAction,
        help="average with the mirrored image; by default as in evaluation",
    )  # fmt: skip
    parser.add_argument(
        "--refinements", metavar="N", type=int,
        help="looks of a model with a condition at what it found; by default as in evaluation",
    )  # fmt: skip
    parser.add_argument("--compile", action="store_true", help="compile the model: for many images")
    parser.add_argument(
        "--cfg-options", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
        help="values that replace those of the checkpoint's config",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Predict, and print what was found and where it is."""
    from dlcreg.apis.predict import predict

    result = predict(
        args.checkpoint,
        args.images,
        args.out,
        proposals=args.proposals,
        draw=args.draw,
        pcutoff=args.pcutoff,
        skip_damaged=args.skip_damaged,
        device=args.device,
        batch_size=args.batch_size,
        precision=args.precision,
        flip_test=args.flip_test,
        refinements=args.refinements,
        compile=args.compile,
        options=args.cfg_options,
    )
    rate = result.images / max(result.seconds, 1e-9)
    print(f"{result.animals} animals in {result.images} images, {rate:.1f} images a second")
    for name, error in result.damaged:
        print(f"left out: {name}: {error}")
    print(f"results: {result.out}")
    if args.draw:
        print(f"         {args.draw}: {len(result.pictures)} pictures")
    return 0


def _batch_size(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give auto, or a number from 1 on")
    return int(text)
