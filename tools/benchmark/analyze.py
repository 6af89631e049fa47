"""Measure `dlcreg analyze`: reading alone, the model alone, the whole; memory of a longer video.

    python tools/benchmark/analyze.py CHECKPOINT VIDEO [--frames 200] [--device cpu] [--times 10]

Prints JSON: frames a second of each, all measured in this one run, and the largest memory
(resident set, MiB) of a process that analyses the video, and of one that analyses it ``--times``
times over, put together without being encoded anew. ``--times 0`` leaves the memory out, for which
Linux is needed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import av

_CHILD = """
import re, sys
from pathlib import Path
from dlcreg.apis import analyze
(result,) = analyze(sys.argv[1], sys.argv[2], sys.argv[3], device=sys.argv[4])
assert result.status == "done", result.error
status = Path("/proc/self/status").read_text()  # getrusage would count what started this, too
kib = int(re.search(r"VmHWM:\\s*(\\d+)", status)[1])
print(result.frames, result.frames / result.seconds, kib / 1024)
"""


def repeat(video: Path, times: int, path: Path) -> Path:
    """Write a video so many times over into one file, without encoding it anew."""
    with av.open(str(path), "w") as out:
        target, shift = None, 0
        for _ in range(times):
            with av.open(str(video)) as container:
                stream = container.streams.video[0]
                if target is None:
                    target = out.add_stream_from_template(stream)
                for packet in container.demux(stream):
                    if packet.size:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = target
                        out.mux(packet)
                shift += stream.duration
    return path


def rates(checkpoint: str, video: Path, frames: int, device: str) -> dict[str, float]:
    """Return frames a second of reading, of the model and its pre- and postprocessing."""
    from dlcreg import Predictor
    from dlcreg.apis.video_poses import fixed_batch_size
    from dlcreg.data.video import open_video
    from dlcreg.solvers.devices import choose_device

    with open_video(video) as reader:
        began = time.perf_counter()
        images = [frame.image for frame in islice(reader.frames(), frames)]
        reading = len(images) / (time.perf_counter() - began)
    images = [image for image in images if image is not None]
    size = fixed_batch_size(choose_device(device))
    predictor = Predictor(checkpoint, device=device, batch_size=size)
    predictor(images[: 2 * size])
    began = time.perf_counter()
    predictor(images)
    return {"reading": reading, "model": len(images) / (time.perf_counter() - began)}


def whole(checkpoint: str, video: Path, device: str) -> dict[str, float]:
    """Return frames a second and memory of a process that analyses a video."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _CHILD, checkpoint, str(video), folder, device]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    count, rate, memory = map(float, said.split())
    return {"frames": count, "rate": rate, "MiB": memory}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=200, help="for reading and model alone")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    found: dict[str, Any] = rates(options.checkpoint, options.video, options.frames, options.device)
    found["whole"] = whole(options.checkpoint, options.video, options.device)
    if options.times:
        with tempfile.TemporaryDirectory() as folder:
            longer = repeat(options.video, options.times, Path(folder, "longer.mp4"))
            found["longer"] = whole(options.checkpoint, longer, options.device)
        found["memory"] = found["longer"]["MiB"] / found["whole"]["MiB"]
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
