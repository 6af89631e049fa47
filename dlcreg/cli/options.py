"""Options that several sub-commands share."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any


def add_config(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """Add CONFIG and the options that change it."""
    default = "; dlcreg's own default config where it is left out" if optional else ""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        nargs="?" if optional else None,
        help=f"a .py, .yaml or .json config{default}",
    )
    parser.add_argument("--split", metavar="FILE", help="JSON file with the train/test split")
    add_overrides(parser)


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add the options that change values of a config."""
    parser.add_argument("--project", metavar="DIR", help="DeepLabCut project of every data set")
    parser.add_argument(
        "--cfg-options",
        metavar="KEY=VALUE",
        nargs="+",
        default=[],
        action="extend",
        help="values that replace those of the config, such as solver.max_epochs=20",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add where and how to run."""
    parser.add_argument("--work-dir", metavar="DIR", help="folder for all results")
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, mps; chosen if left out")
    parser.add_argument("--seed", type=int, metavar="S", help="seed of the run")
    parser.add_argument("--amp", action="store_true", help="half precision, where it is faster")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON, for other programs")


def print_json(value: Any) -> None:
    """Print a value as JSON, whole and indented."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def error_as_json(error: Exception) -> dict[str, Any]:
    """Return an error for `print_json`; each problem of a config by itself, with its place."""
    problems = [asdict(problem) for problem in getattr(error, "problems", [])]
    content = {"type": type(error).__name__, "message": str(error)}
    return {"error": {**content, "problems": problems} if problems else content}


def overrides(args: argparse.Namespace) -> dict[str, Any]:
    """Return the keyword arguments of `dlcreg.apis` that `add_config` and `add_run` read."""
    names = ("project", "split", "work_dir", "device", "seed", "amp")
    found = {name: getattr(args, name) for name in names if hasattr(args, name)}
    return {"options": args.cfg_options, **found}
