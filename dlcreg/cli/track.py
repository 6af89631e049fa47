"""`dlcreg track`: animals followed through the poses of a video."""

from __future__ import annotations

import argparse
from typing import Any

from dlcreg.cli.several import each


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "track",
        help="follow animals through the poses of a video",
        description="Make rows one animal each: a tracker follows animals from frame to frame, and "
        "where it loses one or may confound two, what it found is joined to the known number of "
        "animals, and to individuals where the model says who is who. The files are named as "
        "DeepLabCut names them: <result>_el (ellipses), _bx (boxes), _sk (poses).",
    )
    parser.add_argument("results", metavar="RESULT", nargs="+", help="files of an analysis")
    parser.add_argument(
        "--tracker", metavar="NAME", default="sort-ellipse",
        help="sort-ellipse (default), sort-box, sort-pose, or that of a plug-in, see dlcreg list",
    )  # fmt: skip
    parser.add_argument(
        "--animals", metavar="N", type=int,
        help="how many there are at most; as many as the project knows by default",
    )  # fmt: skip
    parser.add_argument(
        "--identities", action=argparse.BooleanOptionalAction,
        help="look at what the model says of who is who; if it says anything by default",
    )  # fmt: skip
    parser.add_argument(
        "--interpolate", metavar="FRAMES", type=int, default=0,
        help="fill gaps of at most so many frames by straight lines, with likelihood 0",
    )  # fmt: skip
    parser.add_argument(
        "--reference", metavar="FILE",
        help="true tracks: print MOTA, IDF1 and switches; of a result that is tracked, no more",
    )  # fmt: skip
    parser.add_argument(
        "--similarity", metavar="OKS", type=float, default=0.5,
        help="an animal counts as found if its keypoints are so similar to the reference; 0.5",
    )  # fmt: skip
    parser.add_argument(
        "--distance", metavar="PX", type=float,
        help="or if they are no farther from it in the mean",
    )  # fmt: skip
    parser.add_argument(
        "--format", metavar="NAME", nargs="+", default=["h5", "csv"], help="h5 and csv by default"
    )
    parser.add_argument("--out", metavar="DIR", help="folder for the files")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Track each result; one that cannot be is told of, and the others are done."""
    from dlcreg.apis.track import track_result

    def work(result: str) -> None:
        tracked = track_result(
            result,
            args.tracker,
            args.animals,
            identities=args.identities,
            interpolate=args.interpolate,
            reference=args.reference,
            similarity=args.similarity,
            distance=args.distance,
            formats=args.format,
            out=args.out,
        )
        rows = tracked.recording.valid.sum(axis=0).tolist()
        names = tracked.recording.individuals or range(1, len(rows) + 1)
        found = ", ".join(f"{name} in {count}" for name, count in zip(names, rows, strict=True))
        print(f"{len(tracked.recording)} frames: {found}")
        if tracked.scores is not None:
            print(_told(tracked.scores))
        for path in tracked.files:
            print(path)

    return each(args, args.results, work)


def _told(scores: Any) -> str:
    shares = {"MOTA": scores.mota, "IDF1": scores.idf1}
    shares |= {"ID precision": scores.id_precision, "ID recall": scores.id_recall}
    counts = {"switches": scores.switches, "fragments": scores.fragments}
    counts |= {"missed": scores.misses, "false": scores.false_positives}
    text = [f"{name} {value:.4f}" for name, value in shares.items()]
    return ", ".join([*text, *(f"{count} {name}" for name, count in counts.items())])
