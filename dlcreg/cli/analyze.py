"""`dlcreg analyze`: poses in videos."""

from __future__ import annotations

import argparse
from itertools import groupby
from typing import Any

from dlcreg.cli.predict import add_model_options


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "analyze",
        help="poses in videos",
        description="Find poses in every frame of videos with a trained model and write them as "
        "DeepLabCut does. A call that is broken off goes on where it stopped when it is given "
        "again. Under torchrun or SLURM the processes divide the videos among them.",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a .pth file of a training")
    parser.add_argument("videos", metavar="VIDEO", nargs="+", help="video files, folders of such")
    parser.add_argument("--out", metavar="DIR", help="of the results; beside each video by default")
    parser.add_argument(
        "--format", metavar="F", nargs="+", default=["h5", "csv"],
        help="of the results: h5 csv by default, also parquet, nwb, slp, coco, meta, full, "
        "assemblies, or those of plug-ins ('dlcreg list writers'). What is not there yet is made "
        "of an h5 that is, and so are tracks",
    )  # fmt: skip
    parser.add_argument(
        "--tracker", metavar="NAME",
        help="follow the animals, too: sort-ellipse, sort-box, sort-pose or one of a plug-in; "
        "'dlcreg track' does it later and has more options. conditioned: a model with a condition "
        "follows them itself, by the last pose of each, and --proposals where one is missing; "
        "it does not know who is who: rows are individual1 and so on, whatever names there are",
    )  # fmt: skip
    parser.add_argument("--animals", metavar="N", type=int, help="how many there are at most")
    parser.add_argument(
        "--crop", metavar=("X1", "X2", "Y1", "Y2"), nargs=4, type=int,
        help="pixels of each frame that the model is to see",
    )  # fmt: skip
    parser.add_argument(
        "--dynamic-crop", action="store_true",
        help="look only at what lies around the animals of the last frame, and at all of it where "
        "one was missing: faster, one frame after the other",
    )  # fmt: skip
    parser.add_argument(
        "--crop-margin", metavar="PX", type=float,
        help="of --dynamic-crop: pixels around the keypoints, more than an animal moves; 50",
    )  # fmt: skip
    parser.add_argument(
        "--crop-threshold", metavar="P", type=float,
        help="of --dynamic-crop: likelihood that some keypoint of an animal has, which is missing "
        "otherwise; 0.5",
    )  # fmt: skip
    parser.add_argument(
        "--start", metavar="WHEN",
        help="the first frame, by number from 0, or by time: 90s, 1:30, 0:01:30.5. Rows of the "
        "results have the numbers of the frames of the whole video: those before it are empty",
    )  # fmt: skip
    parser.add_argument(
        "--stop",
        metavar="WHEN",
        help="the frame, or the time, before which to stop; the tables end there",
    )
    parser.add_argument("--scorer", metavar="NAME", help="name of the model in the results")
    parser.add_argument("--reader", metavar="NAME", help="what reads videos; chosen by default")
    parser.add_argument(
        "--overwrite", action="store_true",
        help="analyse anew what has results or was begun with other settings",
    )  # fmt: skip
    add_model_options(parser, "images at once; by default the same number in all calls")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Analyse, and say what became of each video."""
    from dlcreg.apis.analyze import analyze

    results = analyze(
        args.checkpoint,
        args.videos,
        args.out,
        formats=args.format,
        proposals=args.proposals,
        tracker=args.tracker,
        animals=args.animals,
        crop=args.crop and tuple(args.crop),
        dynamic_crop=_dynamic_crop(args),
        start=args.start,
        stop=args.stop,
        scorer=args.scorer,
        reader=args.reader,
        overwrite=args.overwrite,
        device=args.device,
        batch_size=args.batch_size,
        precision=args.precision,
        flip_test=args.flip_test,
        refinements=args.refinements,
        compile=args.compile,
        options=args.cfg_options,
        say=lambda text: print(text, flush=True),
    )
    for result in results:
        if result.status == "done":
            rate = f", {result.frames / max(result.seconds, 1e-9):.1f} frames a second"
            looked = f"{result.frames} frames{rate}" if result.frames else "poses found before"
            print(f"{result.video}: {result.animals} animals in {looked}")
            for file in result.files:
                print(f"  {file}")
            for error, numbers in _by_error(result.unreadable):
                print(f"  not read: {numbers}: {error}")
    failed = [result for result in results if result.status == "failed"]
    if failed and len(results) > 1:  # each was told of when it failed
        names = ", ".join(str(result.video) for result in failed)
        print(f"{len(failed)} of {len(results)} videos failed: {names}")
    return 1 if failed else 0


def _dynamic_crop(args: argparse.Namespace) -> Any:
    """Return the settings of the dynamic crop; None: there is none.

    Raises:
        DataError: one of them is out of range, or asked for without it.
    """
    from dlcreg.errors import DataError
    from dlcreg.inference import DynamicCrop

    given = {"margin": args.crop_margin, "threshold": args.crop_threshold}
    given = {name: value for name, value in given.items() if value is not None}
    if not args.dynamic_crop:
        if given:
            raise DataError(f"--crop-{next(iter(given))} is for --dynamic-crop: give that, too")
        return None
    try:
        return DynamicCrop(**given)
    except ValueError as error:
        raise DataError(f"--crop-{error}") from error


def _by_error(unreadable: list[tuple[int, str]]) -> list[tuple[str, str]]:
    """Return each reason with the frames that it holds for, such as ``frames 3, 10-12``."""
    found = []
    for error in dict.fromkeys(error for _, error in unreadable):
        numbers = [number for number, why in unreadable if why == error]
        runs = [
            [number for _, number in run]
            for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
        ]
        spans = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
        more = f" and {len(spans) - 20} more places" if len(spans) > 20 else ""
        found.append((error, f"frames {', '.join(spans[:20])}{more}"))
    return found
