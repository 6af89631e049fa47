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
        help="of the results; h5 csv by default, 'dlcreg list writers' shows all",
    )  # fmt: skip
    parser.add_argument(
        "--tracker", metavar="NAME",
        help="follow the animals, too: sort-ellipse, sort-box, sort-pose or one of a plug-in; "
        "'dlcreg track' does it later and has more options",
    )  # fmt: skip
    parser.add_argument("--animals", metavar="N", type=int, help="how many there are at most")
    parser.add_argument(
        "--crop", metavar=("X1", "X2", "Y1", "Y2"), nargs=4, type=int,
        help="pixels of each frame that the model is to see",
    )  # fmt: skip
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
            rate = result.frames / max(result.seconds, 1e-9)
            print(
                f"{result.video}: {result.animals} animals in {result.frames} frames, "
                f"{rate:.1f} frames a second"
            )
            for file in result.files:
                print(f"  {file}")
            for error, numbers in _by_error(result.unreadable):
                print(f"  not read: {numbers}: {error}")
    failed = [result for result in results if result.status == "failed"]
    if failed:
        print(f"{len(failed)} of {len(results)} videos failed:")
        for result in failed:
            print(f"  {result.video}: {result.error}")
    return 1 if failed else 0


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
