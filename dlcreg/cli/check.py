"""`dlcreg check`: every mistake of a config before anything is trained."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dlcreg.cli.options import add_config, add_json, print_json


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "check",
        help="check a config without training",
        description="Find every mistake of a config: names and values by the signatures of the "
        "parts, then the data, which is opened, the model, which is traced without its weights, "
        "and the solver. Nothing is trained; nothing is written but what is asked for. Exit "
        "status: 0 no problems, 2 problems.",
    )
    add_config(parser)
    data = parser.add_mutually_exclusive_group()
    data.add_argument(
        "--no-data", action="store_true", help="check the config alone, without opening its data"
    )
    data.add_argument(
        "--data",
        action="store_true",
        help="draw a batch with its labels and targets into a PNG, see --out",
    )
    parser.add_argument(
        "--out", metavar="FILE", help="the PNG of --data; batch.png in the work dir if left out"
    )
    parser.add_argument(
        "--step",
        action="store_true",
        help="build everything and make one real optimizer step on a batch; its losses, the "
        "norm of the gradient and the time are printed, values that are not finite are refused",
    )
    parser.add_argument(
        "--graph",
        nargs="?",
        const="",
        metavar="FILE",
        help="print the graph of all parts, with packages, parameters, multiply-accumulates and "
        "shapes; into an .svg or .mmd (Mermaid) file where one is named. With --no-data, shapes "
        "are those of stand-ins",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print all problems, or that there are none, and what else was asked for."""
    from dlcreg.errors import ConfigError, DlcregError

    if args.step and args.no_data:
        raise DlcregError("--step needs the data: leave --no-data out.")
    if not args.json:
        _check(args)
        return 0
    try:
        print_json({"config": args.config, "problems": [], **_check(args)})
    except ConfigError as error:
        rows = [_row(problem) for problem in error.problems]
        print_json({"config": args.config, "problems": rows})
        return 2
    except DlcregError as error:  # of the data, or of the step
        row = {"path": "", "message": str(error), "file": None, "line": None, "column": None}
        print_json({"config": args.config, "problems": [row]})
        return 2
    return 0


def _check(args: argparse.Namespace) -> dict[str, Any]:
    """Do what was asked for, print it unless as JSON, and return it."""
    from dlcreg.apis.settings import read_config, work_dir_of
    from dlcreg.builder import examine
    from dlcreg.cli.tree import graph_rows, print_tree

    say = (lambda text: None) if args.json else print
    tree = read_config(args.config, args.cfg_options, project=args.project, split=args.split)
    plan = examine(tree, open_data=not args.no_data)
    plan.settle()
    say(f"{args.config}: no problems")
    done: dict[str, Any] = {}
    if args.graph is not None:
        from dlcreg.apis.graph_files import write_graph
        from dlcreg.builder.graph import graph_of

        graph = graph_of(plan)
        done["graph"] = graph_rows(graph)
        if args.graph:
            done["graph_file"] = str(write_graph(graph, args.graph))
            say(f"graph:   {done['graph_file']}")
        elif not args.json:
            print_tree(graph, args.config)
    if args.data:
        from dlcreg.apis.batch_picture import draw_batch

        out = Path(args.out) if args.out else work_dir_of(tree) / "batch.png"
        done["picture"] = str(draw_batch(plan, out))
        say(f"picture: {done['picture']}")
    if args.step:
        from dataclasses import asdict

        from dlcreg.apis.step import one_step
        from dlcreg.cli.report import step_lines

        step = one_step(tree)
        done["step"] = asdict(step)
        say(step_lines(step))
    return done


def _row(problem: Any) -> dict[str, Any]:
    from dlcreg.cli.report import place_row

    row = {"path": problem.path, "message": problem.message, **place_row(problem.location)}
    return {**row, "source": problem.source} if problem.source else row
