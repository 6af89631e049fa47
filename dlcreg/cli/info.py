"""`dlcreg info`: all that is known of a part, or of a checkpoint."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from dlcreg.cli.options import add_json, print_json

_EXIT = (
    "Exit status: 0 shown; 1 the checkpoint was made with parts that are missing or have changed "
    "here; 2 there is no such part or file, or it is broken."
)


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "info", help="what a part takes and where it is from, or what a checkpoint is", epilog=_EXIT
    )
    parser.add_argument(
        "what", metavar="PART|FILE.pth", help="heads/MyHead, MyHead, or a checkpoint"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what is known of a part or a checkpoint."""
    if args.what.endswith((".pth", ".pt")):
        from dlcreg.apis.contents import contents

        found = contents(args.what)
        print_json(found) if args.json else _print_contents(found)
        return 1 if any(part["status"] != "same" for part in found["parts"]) else 0
    from dlcreg.apis.describe import describe

    part = describe(args.what)
    print_json(asdict(part)) if args.json else _print_part(part)
    return 0


def _print_part(found: Any) -> None:
    part = found.part
    print(f"{part.registry}/{part.name}")
    print(f"\n{found.text}\n" if found.text else "")
    package = f"{part.distribution} {part.version}" if part.distribution else "none"
    rows = {
        "package": package,
        "licence": found.licence,
        "home": found.home,
        "source": f"{found.file}:{found.line}" if found.file else part.target,
        "import": part.target,
        "sha256": part.sha256,
        "replaces": part.replaces,
        "papers": "; ".join(found.papers),
    }
    _print_rows(rows)
    print("\narguments:")
    for a in found.arguments:
        default = "required" if a.default is None else f"default {a.default}"
        default = {"wired": f"wired, {default}", "given": "given by dlcreg"}.get(a.source, default)
        print(f"  {a.name}: {a.type} ({default})")
    if found.open:
        print("  ... and names that its signature does not tell")
    if found.example is not None:
        from dlcreg.config.dump import python_text

        print(f"\nexample:\n{_indented(python_text({'part': found.example}))}")


def _print_contents(found: dict[str, Any]) -> None:
    best = found["best"] or {}
    rows = {
        "file": found["file"],
        "made with": f"dlcreg {found['dlcreg']}, torch {found['torch'] or 'of unknown version'}",
        "epoch": "" if found["epoch"] is None else str(found["epoch"]),
        "resumable": "yes" if found["resumable"] else "no, it holds the weights alone",
        "best": f"{best['key']} {best['value']:.4g}" if {"key", "value"} <= set(best) else "",
        "parameters": f"{found['parameters']:,}",
        "keypoints": ", ".join(found["keypoints"]),
        **{name: ", ".join(types) for name, types in found["graph"].items()},
    }
    _print_rows(rows)
    print("\nparts:")
    for part in found["parts"]:
        package = f"{part['distribution']} {part['version']}".strip() or part["target"]
        now = f" {part['installed']}" if part["status"] == "other version" else ""
        print(f"  {part['registry']}/{part['name']}: {package}, here: {part['status']}{now}")


def _print_rows(rows: dict[str, str]) -> None:
    width = max(map(len, rows)) + 1
    for name, value in rows.items():
        if value:
            print(f"{name + ':':{width}} {value}")


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines()).rstrip()
