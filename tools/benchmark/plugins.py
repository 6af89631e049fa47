"""What many installed plug-in packages cost: `import dlcreg` and `dlcreg list`.

    python tools/benchmark/plugins.py [--packages 200] [--repeats 5]

makes the packages in a temporary folder, each a module and its metadata as pip leaves them behind,
and prints the seconds of both without and with them, and the ratio. Each number is the median of
separate processes, which take turns; the processor's seconds stand beside those of the clock,
which other programs on the machine lengthen. 0.7 s for the list are the limit that dlcreg sets
itself.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = '''"""A package of a stranger."""

from dlcreg import HEADS
from dlcreg.contracts import Head


@HEADS.register_module()
class Head{number}(Head):
    """A head of package {number}.

    Args:
        in_channels: channels of the feature map.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()

    def forward(self, features):
        return {{}}
'''

METADATA = """Metadata-Version: 2.1
Name: stranger-{number}
Version: 1.{number}.0
Summary: A head that somebody wrote.
License: MIT
Requires-Dist: dlcreg
"""

COMMANDS = {
    "import dlcreg": ["-c", "import dlcreg"],
    "dlcreg list": ["-m", "dlcreg", "list"],
    "dlcreg list heads": ["-m", "dlcreg", "list", "heads"],
}


def make_packages(folder: Path, count: int) -> None:
    """Write packages as pip leaves them behind."""
    for number in range(count):
        package = folder / f"stranger_{number}"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "heads.py").write_text(SOURCE.format(number=number))
        info = folder / f"stranger_{number}-1.{number}.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA.format(number=number))
        entry = f"[dlcreg.heads]\nHead{number} = stranger_{number}.heads:Head{number}\n"
        (info / "entry_points.txt").write_text(f"[dlcreg.api]\n1.0 = stranger_{number}\n{entry}")


def seconds(command: list[str], path: str) -> tuple[float, float]:
    """Return the seconds of the clock and of the processor that a Python process takes."""
    environment = {**os.environ, "PYTHONPATH": path}
    used, start = _processor(), time.perf_counter()
    subprocess.run(
        [sys.executable, *command], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start, _processor() - used


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--packages", type=int, default=200, help="how many to make")
    parser.add_argument("--repeats", type=int, default=5, help="processes for each number")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_packages(Path(folder), args.packages)
        print(f"{'':32s}{'none, s':>10s}{f'{args.packages} packages, s':>20s}{'ratio':>8s}")
        for name, command in COMMANDS.items():
            pairs = [
                (seconds(command, ""), seconds(command, folder)) for _ in range(args.repeats + 1)
            ][1:]  # the first warms the caches of the disk
            for unit, which in (("clock", 0), ("processor", 1)):
                bare = statistics.median(pair[0][which] for pair in pairs)
                full = statistics.median(pair[1][which] for pair in pairs)
                label = f"{name} ({unit})"
                print(f"{label:32s}{bare:10.2f}{full:20.2f}{full / bare:8.2f}")


if __name__ == "__main__":
    main()
