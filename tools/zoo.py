"""Write the tables of configs/README.md from the configs themselves.

    python tools/zoo.py            # write them
    python tools/zoo.py --check    # exit with 1 where they are out of date

What a config cannot say by itself stands in its helper variable ``_zoo``, a dict of short texts of
which ``what`` alone must be there:

- ``what``: what it is; ``paper``: authors and year
- ``published``: the accuracy that its authors give; ``source``: where
- ``load``: the name of the same model in `dlcreg.load_published`
- ``measured``: what dlcreg reached by training it; ``options``: with which options; ``first`` and
  ``then``: the command that stands before that, such as the one that trains a first stage, and the
  one that measures afterwards
- ``keypoints``: how many the figures are of, where neither ``load`` nor 17 is right
- ``input``: height and width that they are of, where no transform has a size

Nothing in the tables is written by hand: where two branches disagree about them, take either side
and run the tool.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import itertools
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcreg.builder.costs import operation_counter
from dlcreg.builder.image_size import written_size
from dlcreg.builder.plan import Plan
from dlcreg.conditioning import made_up_condition, needs_condition
from dlcreg.config import load_config
from dlcreg.contracts import Backbone, Size
from dlcreg.models.published import PUBLISHED

FOLDER = Path(__file__).resolve().parents[1] / "configs"
README = FOLDER / "README.md"
BEGIN, END = "<!-- tables: python tools/zoo.py -->\n", "<!-- end of the tables -->\n"
KEYS = (
    *("what", "paper", "load", "published", "source"),
    *("measured", "options", "first", "then", "keypoints", "input"),
)
KEYPOINTS = 17
HEAD = """\
| config | what | keypoints | input | parameters, M | GMAC | load_published | published | measured |
|---|---|---|---|---|---|---|---|---|
"""


def main() -> int:
    """Write the page, or say how it differs."""
    parser = argparse.ArgumentParser(description="Write the tables of configs/README.md.")
    parser.add_argument("--check", action="store_true", help="exit with 1 if it is out of date")
    check = parser.parse_args().check
    old = README.read_text(encoding="utf-8")
    new = page(old)
    if not check:
        README.write_text(new, encoding="utf-8")
        return 0
    lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
    sys.stdout.writelines(difflib.unified_diff(*lines, "configs/README.md", "python tools/zoo.py"))
    return int(old != new)


def page(text: str) -> str:
    """Return the page with the tables as they should be."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{README} must have one line {BEGIN!r} and one {END!r}")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}{tables()}{END}{rest.split(END)[1]}"


def tables() -> str:
    """Return one table for each folder of configs, and what the measured figures come from."""
    parts = []
    for family, paths in itertools.groupby(configs(), lambda path: path.parent.name):
        known = list(paths)
        rows = "".join(row(path, *model_of(path)) for path in known)
        parts.append(f"\n## {family}\n\n{HEAD}{rows}")
        lines = dict.fromkeys(f"{line}\n" for path in known for line in commands(path))
        parts.append(f"\nMeasured with\n\n```sh\n{''.join(lines)}```\n" if lines else "")
    return "".join(parts) + "\n"


def configs() -> list[Path]:
    """Return all configs, by family; folders that begin with an underscore hold what they share."""

    def natural(path: Path) -> list[str]:
        return [part.zfill(8) for part in re.split(r"(\d+)", path.as_posix())]

    return sorted(FOLDER.glob("[!_]*/*.py"), key=natural)


def helper(path: Path, name: str) -> Any:
    """Return the value that a file itself gives a name; None where it does not."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            code = compile(ast.Expression(node.value), str(path), "eval")
            return eval(code, {"__builtins__": {"dict": dict}})
    return None


def zoo(path: Path) -> dict[str, Any]:
    """Return ``_zoo`` of a file itself: that of a config it builds on is not its own."""
    found = helper(path, "_zoo")
    if not isinstance(found, dict) or "what" not in found:
        raise SystemExit(f"{path} needs _zoo = dict(what='...'), see tools/zoo.py")
    if unknown := set(found) - set(KEYS):
        raise SystemExit(f"{path}: _zoo takes no {sorted(unknown)}, but {', '.join(KEYS)}")
    pairs = [("source", "published"), ("published", "source")]
    for one, other in (*pairs, *((key, "measured") for key in ("options", "first", "then"))):
        if one in found and other not in found:
            raise SystemExit(f"{path}: _zoo says {one}, but no {other}")
    if "load" in found and found["load"] not in PUBLISHED:
        raise SystemExit(f"{path}: there is no published model {found['load']!r}")
    return dict(found)


def commands(path: Path) -> list[str]:
    """Return the lines of a shell that a config was measured with; none where it was not."""
    told = zoo(path)
    if "measured" not in told:
        return []
    name = path.relative_to(FOLDER.parent).as_posix()
    lines = told.get("first"), f"dlcreg train {name} {told.get('options', '')}", told.get("then")
    return [line.rstrip() for line in lines if line]


def row(path: Path, model: nn.Module, size: Size) -> str:
    """Return a config's line of the table, with the figures of its model for that size."""
    told = zoo(path)
    counter = operation_counter()
    options = {}
    if any(needs_condition(part) for part in model.modules() if isinstance(part, Backbone)):
        options["condition"] = made_up_condition(keypoints_of(told), size, "meta")
    with counter, torch.no_grad():
        model.eval()(torch.zeros(1, 3, *size, device="meta"), **options)
    cells = (
        f"[{path.stem}]({path.relative_to(FOLDER).as_posix()})",
        told["what"] + (f" ({told['paper']})" if "paper" in told else ""),
        keypoints_of(told),
        f"{size[0]} x {size[1]}",
        f"{parameters_of(model) / 1e6:.1f}",
        f"{counter.get_total_flops() / 2e9:.1f}",
        f"`{told['load']}`" if "load" in told else "-",
        f"{told['published']} ({told['source']})" if "published" in told else "-",
        told.get("measured", "-"),
    )
    return f"| {' | '.join(map(str, cells))} |\n"


def model_of(path: Path) -> tuple[nn.Module, Size]:
    """Return a config's model without its weights, and height and width of what it trains on."""
    told, tree = zoo(path), load_config(path)
    size = told.get("input") or written_size(tree)
    if size is None:
        raise SystemExit(f"{path}: no transform has a size; give it in _zoo: input=")
    count = keypoints_of(told)
    wired = {
        "input_size": size,
        "num_keypoints": count,
        "keypoint_names": tuple(f"keypoint_{index}" for index in range(count)),
        "skeleton": tuple(itertools.combinations(range(count), 2)),
        "individuals": ("first", "second"),
        "num_unique_keypoints": 4,
        **(PUBLISHED[told["load"]].wired if "load" in told else {}),
    }
    plan = Plan(tree, wired=wired).check()
    with torch.device("meta"):
        return plan.build_model(pretrained=False), size


def keypoints_of(told: Mapping[str, Any]) -> int:
    """Return how many keypoints the figures of a config are of."""
    published = PUBLISHED[told["load"]].num_keypoints if "load" in told else KEYPOINTS
    return int(told.get("keypoints", published))


def parameters_of(model: nn.Module) -> int:
    """Return the number of all parameters, trained or not."""
    return sum(parameter.numel() for parameter in model.parameters())


if __name__ == "__main__":
    sys.exit(main())
