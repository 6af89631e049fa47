"""Kill `dlcreg analyze` at random moments, give it again each time, and compare the files.

    python tools/benchmark/kills.py CHECKPOINT VIDEO [--kills 10] [--seed 0] [-- OPTIONS]

analyses a video without a break, and once more with so many kills (SIGKILL) at moments drawn evenly
over the time that the first analysis took. Prints JSON: frames and seconds of the unbroken run, the
frame at which each call went on, and for each file of results whether its bytes are the same.
OPTIONS are further ones of `dlcreg analyze`, such as ``--stop 500`` or ``--tracker sort-ellipse``.
Ends with 1 where a file differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def start(arguments: list[str], out: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start an analysis in a process group of its own."""
    command = [sys.executable, "-m", "dlcreg", "analyze", *arguments, "--out", str(out)]
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)


def unbroken(arguments: list[str], out: Path, log: Path) -> dict[str, float]:
    """Analyse; return how many frames that were, seconds, and those before the first frame."""
    began = time.perf_counter()
    status = start(arguments, out, log).wait()
    seconds = time.perf_counter() - began
    found = re.search(r"animals in (\d+) frames, ([\d.]+) frames a second", log.read_text())
    if status or found is None:
        raise SystemExit(log.read_text())
    frames, rate = int(found[1]), float(found[2])
    return {"frames": frames, "seconds": seconds, "loading": max(0.0, seconds - frames / rate)}


def broken(arguments: list[str], out: Path, log: Path, pauses: list[float]) -> list[int]:
    """Analyse, killed after each of the pauses; return the frames at which calls went on."""
    resumed = []
    for pause in [*pauses, None]:
        process = start(arguments, out, log)
        try:
            status = process.wait(pause)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        said = log.read_text()
        found = re.search(r"goes on at frame (\d+)", said)
        resumed.append(int(found[1]) if found else 0)
        print(
            f"{pause and round(pause, 1)} s: from frame {resumed[-1]}", file=sys.stderr, flush=True
        )
        if status >= 0:
            if status:
                raise SystemExit(said)
            break
    return resumed


def main() -> int:
    """Analyse twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("video")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("options", nargs="*", help="of dlcreg analyze, after --")
    args = parser.parse_args()
    arguments = [args.checkpoint, args.video, *args.options]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, parts, log = folder / "whole", folder / "parts", folder / "log"
        found: dict[str, Any] = unbroken(arguments, whole, log)
        working = found["seconds"] - found["loading"]
        draw = random.Random(args.seed)
        moments = sorted(draw.uniform(0, working) for _ in range(args.kills))
        ways = [moment - before for before, moment in zip([0.0, *moments], moments, strict=False)]
        resumed = broken(arguments, parts, log, [found["loading"] + way for way in ways])
        same = {
            path.name: (parts / path.name).is_file()
            and path.read_bytes() == (parts / path.name).read_bytes()
            for path in sorted(whole.iterdir())
        }
        extra = sorted({path.name for path in parts.iterdir()} - set(same))
    found |= {"kills": len(resumed) - 1, "went on at": resumed[1:], "same bytes": same}
    print(json.dumps({**found, "left over": extra}, indent=2))
    return 0 if all(same.values()) and not extra else 1


if __name__ == "__main__":
    sys.exit(main())
