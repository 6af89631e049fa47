"""How long `dlcreg check` takes for each config that comes with dlcreg.

    python tools/benchmark/check.py

prints the seconds of wall clock and of the processor for each, after the start-up of Python and
torch, without the data: signatures, the trace of the model on the meta device, and the solver
built around it. 2 s are the limit that dlcreg sets itself.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch

from dlcreg.builder import check

FOLDER = Path(__file__).resolve().parents[2] / "configs"


def main() -> None:
    """Print a line for each config."""
    torch.set_num_threads(1)
    configs = sorted(FOLDER.glob("[!_]*/*.py"))
    check(configs[-1], open_data=False)  # imports what all of them need
    print(f"{'config':40s}{'wall, s':>10s}{'processor, s':>14s}{'problems':>10s}")
    for path in configs:
        wall, cpu = time.perf_counter(), time.process_time()
        problems = check(path, open_data=False)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{path.stem:40s}{wall:10.2f}{cpu:14.2f}{len(problems):10d}")


if __name__ == "__main__":
    main()
