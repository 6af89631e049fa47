"""`dlcreg convert`: result files from one format to others."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "convert",
        help="result files from one format to others",
        description="Read poses of videos (.h5 and .csv of DeepLabCut or dlcreg, .parquet of "
        "dlcreg) and write them in other formats, under the same names. What says how they were "
        "made goes along.",
    )
    parser.add_argument("results", metavar="RESULT", nargs="+", help="result files")
    parser.add_argument(
        "--format", metavar="F", nargs="+", required=True, action="extend",
        help="formats to write: h5, csv, parquet, nwb, slp, coco, meta, full, assemblies, or those "
        "of plug-ins ('dlcreg list writers')",
    )  # fmt: skip
    parser.add_argument("--out", metavar="DIR", help="where to write; beside each result if absent")
    parser.add_argument(
        "--tracked", action=argparse.BooleanOptionalAction,
        help="whether an individual is the same animal in all frames; told by the files if absent",
    )  # fmt: skip
    parser.add_argument("--scorer", metavar="NAME", help="another name of what found the poses")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Convert, and print what was written."""
    from dlcreg.apis.convert import convert

    written = convert(args.results, args.format, args.out, args.tracked, args.scorer)
    for source, targets in written.items():
        print(f"{source}:")
        for target in targets:
            print(f"    {target}")
        if not targets:
            print("    nothing: none of the formats is made for such poses")
    return 0
