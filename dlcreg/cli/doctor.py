"""`dlcreg doctor`: whether this installation is sound."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from dlcreg.cli.options import add_json, print_json


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "doctor",
        help="versions, devices, codecs, plug-ins; what is wrong and how to mend it",
        epilog="Exit status: 0 nothing is wrong; 1 something is.",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report."""
    from dlcreg.doctor import examine

    report = examine()
    if args.json:
        print_json({**asdict(report), "sound": report.sound})
    else:
        print("\n".join(_lines(report)))
    return 0 if report.sound else 1


def _lines(report: Any) -> list[str]:
    width = max(map(len, report.versions))
    lines = ["versions:"]
    lines += [f"  {name:{width}}  {v}" for name, v in report.versions.items() if v]
    lines += ["devices:", *(f"  {device}" for device in report.devices)]
    read = [name for name, there in report.codecs.items() if there]
    unread = [name for name, there in report.codecs.items() if not there]
    lines += [f"video codecs: {', '.join(read) or 'none'}"]
    lines += [f"  not: {', '.join(unread)}"] if unread else []
    lines += ["plug-ins:" if report.plugins else "plug-ins: none"]
    for name, plugin in report.plugins.items():
        parts = ", ".join(f"{count} {kind}" for kind, count in plugin["parts"].items())
        lines.append(f"  {name} {plugin['version']}: {'disabled' if plugin['disabled'] else parts}")
    for finding in report.findings:
        lines.append(f"{'WRONG' if finding.wrong else 'note'}: {finding.what}")
        lines += [f"  mend it: {finding.remedy}"] if finding.remedy else []
    return [*lines, "nothing is wrong" if report.sound else "something is wrong, see above"]
