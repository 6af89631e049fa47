"""Kill `dlcreg analyze` at random moments, give it again each time, and compare the files.

    python tools/benchmark/kills.py CHECKPOINT VIDEO [--kills 10] [--seed 0] [-- OPTIONS]

analyses a video without a break, and once more with so many kills (SIGKILL): at places drawn evenly
over the whole analysis, and some tenths of seconds to seconds beyond these, so that what is being
computed or written is hit anywhere. Prints JSON: frames and seconds of the unbroken run, the frame
at which each call went on, and for each file of results whether its bytes are the same. OPTIONS are
further ones of `dlcreg analyze`, such as ``--stop 500`` or ``--tracker sort-ellipse``. Ends with 1
where a file differs.
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

_POLL = 0.05  # seconds between two looks at what an analysis has written
_DELAY = 3.0  # seconds at most from a place to the kill: more than from write to write


def start(arguments: list[str], out: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start an analysis in a process group of its own."""
    command = [sys.executable, "-m", "dlcreg", "analyze", *arguments, "--out", str(out)]
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)


def hidden(out: Path, suffix: str) -> Path | None:
    """Return the journal (``partial``) or the claim of the analysis that is going on."""
    return next(iter(out.glob(f".*.{suffix}")), None)


def written(out: Path) -> int:
    """Return how many bytes the journal has, which grow with the frames that are done."""
    journal = hidden(out, "partial")
    try:
        return journal.stat().st_size if journal else 0
    except FileNotFoundError:
        return 0


def claimed(out: Path) -> str:
    """Return what says which process analyses; empty where none does."""
    claim = hidden(out, "claim")
    try:
        return claim.read_text() if claim else ""
    except FileNotFoundError:
        return ""


def unbroken(arguments: list[str], out: Path, log: Path) -> dict[str, float]:
    """Analyse; return how many frames that were, seconds, and bytes of the journal at the end."""
    process, size = start(arguments, out, log), 0
    while process.poll() is None:
        size = max(size, written(out))
        time.sleep(_POLL)
    found = re.search(r"animals in (\d+) frames, ([\d.]+) frames a second", log.read_text())
    if process.returncode or found is None:
        raise SystemExit(log.read_text())
    frames, rate = int(found[1]), float(found[2])
    return {"frames": frames, "frames/s": rate, "journal": size}


def broken_off(process: subprocess.Popen[bytes], out: Path, before: str, size: float) -> bool:
    """Wait until an analysis has begun and written so much, a bit more, and kill it.

    Returns:
        whether it was killed; it may have come to its end before.
    """
    delay = random.uniform(0, _DELAY)
    while process.poll() is None:
        if claimed(out) not in ("", before) and written(out) >= size:
            time.sleep(delay)
            break
        time.sleep(_POLL)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def broken(arguments: list[str], out: Path, log: Path, sizes: list[float]) -> list[int]:
    """Analyse, killed at each of the sizes of the journal; return where calls went on."""
    resumed = []
    for size in [*sizes, float("inf")]:
        before = claimed(out)
        process = start(arguments, out, log)
        killed = broken_off(process, out, before, size)
        said = log.read_text()
        found = re.search(r"goes on at frame (\d+)", said)
        resumed.append(int(found[1]) if found else 0)
        end = "killed" if killed else "done"
        print(f"from frame {resumed[-1]}: {end}", file=sys.stderr, flush=True)
        if not killed:
            if process.returncode:
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
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args = parser.parse_args(sys.argv[1:end])
    arguments = [args.checkpoint, args.video, *sys.argv[end + 1 :]]
    random.seed(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, parts, log = folder / "whole", folder / "parts", folder / "log"
        found: dict[str, Any] = unbroken(arguments, whole, log)
        sizes = sorted(random.uniform(0, found["journal"]) for _ in range(args.kills))
        resumed = broken(arguments, parts, log, sizes)
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
