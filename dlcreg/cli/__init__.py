"""The `dlcreg` command: argument parsing and printing only."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from dlcreg.cli import (
    analyze,
    check,
    config,
    convert,
    demo,
    doctor,
    draw,
    evaluate,
    export,
    filter,
    import_deeplabcut,
    info,
    label_video,
    outliers,
    parts,
    plot,
    plugin,
    predict,
    report_page,
    track,
    train,
)
from dlcreg.cli.options import error_as_json, print_json
from dlcreg.errors import DlcregError

COMMANDS = (
    demo,
    train,
    evaluate,
    predict,
    analyze,
    track,
    filter,
    label_video,
    plot,
    convert,
    outliers,
    export,
    import_deeplabcut,
    report_page,
    draw,
    check,
    config,
    parts,
    plugin,
    info,
    doctor,
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all sub-commands."""
    parser = argparse.ArgumentParser(
        prog="dlcreg", description="Animal pose estimation whose every part is a plug-in."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command and return its exit status: 0 done, 2 a mistake, 128 + N signal N."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args))
    except DlcregError as error:
        if getattr(args, "json", False):
            print_json(error_as_json(error))
        else:
            print(f"dlcreg {args.command}: {error}", file=sys.stderr)
        signum = getattr(error, "signum", None)  # a training that was told to stop
        return 2 if signum is None else 128 + int(signum)
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        sys.stderr.close()
        return 0
    except OSError as error:  # a full disk, a folder without rights: it names the file
        print(f"dlcreg {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


class _Version(argparse.Action):
    """Print the version; reads the package's metadata only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from dlcreg.plugins import own_version

        print(f"dlcreg {own_version()}")
        parser.exit()
