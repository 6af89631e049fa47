"""How long codecs take to draw their targets and to find animals, beside plain loops.

    python tools/benchmark/targets.py

prints for one batch on one core the time of each codec of heatmaps, of the codecs of several
animals, and of finding them; and how many times faster that is than a loop in the same run.
Times are those of the processor, not of the clock, for a machine that is busy: the least of some
calls, and their median, which is what a busy machine makes of it.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from dlcreg.contracts import Codec
from dlcreg.registry import CODECS
from dlcreg.schema import signature_of
from dlcreg.structures import DatasetInfo, Instances
from dlcreg.wiring import construct

BATCH, STRIDE, SIGMA, REPEATS = 8, 4, 2.0, 20


def labels(animals: int, keypoints: int, size: int, spread: float = 1.0) -> Instances:
    """Return animals whose keypoints lie anywhere in a part of the image.

    Args:
        animals: number in each image.
        keypoints: number of each animal.
        size: side of the image, pixels.
        spread: side of an animal, as a share of the image's.
    """
    middle = torch.rand(BATCH, animals, 1, 2) * (1 - spread)
    points = (middle + spread * torch.rand(BATCH, animals, keypoints, 2)) * (size - 1)
    return Instances(
        keypoints=points,
        visibility=torch.full((BATCH, animals, keypoints), 2, dtype=torch.uint8),
        boxes=torch.zeros(BATCH, animals, 4),
        areas=torch.full((BATCH, animals), (spread * size) ** 2),
        valid=torch.ones(BATCH, animals, dtype=torch.bool),
        ids=torch.zeros(BATCH, animals, dtype=torch.int64),
    )


def heatmap_loop(instances: Instances, size: int) -> torch.Tensor:
    """Draw Gaussians keypoint by keypoint."""
    y, x = grid(size, STRIDE)
    count = instances.keypoints.shape[2]
    maps = torch.zeros(BATCH, count, *x.shape)
    for image, keypoint in itertools.product(range(BATCH), range(count)):
        px, py = instances.keypoints[image, 0, keypoint]
        squared = (x - px) ** 2 + (y - py) ** 2
        maps[image, keypoint] = torch.exp(-squared / (2 * (SIGMA * STRIDE) ** 2))
    return maps


def field_loop(instances: Instances, size: int, stride: int) -> torch.Tensor:
    """Draw part affinity fields limb by limb, the last animal over the others."""
    y, x = grid(size, stride)
    _, animals, count, _ = instances.keypoints.shape
    edges = list(itertools.combinations(range(count), 2))
    fields = torch.zeros(BATCH, len(edges), 2, *x.shape)
    for image, animal in itertools.product(range(BATCH), range(animals)):
        for edge, (a, b) in enumerate(edges):
            start, stop = instances.keypoints[image, animal, [a, b]]
            length = (stop - start).norm()
            unit = (stop - start) / length
            along = (x - start[0]) * unit[0] + (y - start[1]) * unit[1]
            side = ((x - start[0]) * unit[1] - (y - start[1]) * unit[0]).abs() / 20
            inside = (along >= 0) & (along <= length) & (side <= 1)
            for axis in (0, 1):
                fields[image, edge, axis][inside] = (unit[axis] * (1 - side))[inside]
    return fields.flatten(1, 2)


def grid(size: int, stride: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows and columns of the centres of all cells, in pixels."""
    at = torch.arange(size // stride) * stride + (stride - 1) / 2
    rows, columns = torch.meshgrid(at, at, indexing="ij")
    return rows, columns


def codecs(keypoints: int, animals: int, stride: int) -> dict[str, Codec]:
    """Return every codec that is installed, for such animals, by name."""
    names = tuple(f"k{index}" for index in range(keypoints))
    individuals = tuple(f"animal{index}" for index in range(animals))
    info = DatasetInfo(names, num_individuals=animals, individuals=individuals, identified=True)
    wired = info.wiring()
    found = {}
    for row in CODECS.listing():
        takes_stride = "stride" in signature_of(CODECS.get(row.name)).parameters
        options = {"stride": stride} if takes_stride else {}
        found[row.name] = construct(CODECS, {"type": row.name, **options}, wired, "codec")
    return found


def milliseconds(call: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Return the times of calls, the least one first."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(1000 * (time.process_time() - start))
    return sorted(times)


def line(name: str, taken: list[float], loop: list[float] | None = None) -> None:
    """Print a line of the table."""
    ratio = "" if loop is None else f"  {loop[0] / taken[0]:6.1f} times as fast"
    middle = statistics.median(taken)
    print(f"{name:34s} {taken[0]:8.2f} ms, median {middle:8.2f} ms{ratio}", flush=True)


def heatmaps() -> None:
    """Print the codecs of heatmaps: 20 keypoints of one animal, 256 px, stride 4."""
    print("heatmaps of 20 keypoints, stride 4, 256 px")
    size = 256
    instances = labels(1, 20, size)
    plain = milliseconds(partial(heatmap_loop, instances, size), 5)
    line("loop", plain)
    for name, codec in codecs(20, 1, STRIDE).items():
        line(name, milliseconds(partial(codec.encode, instances, (size, size))), plain)


def several_animals() -> None:
    """Print the codecs of several animals: 5 of 12 keypoints, 400 px."""
    size = 400
    for spread in (1.0, 0.25):
        instances = labels(5, 12, size, spread)
        print(f"5 animals of 12 keypoints, {size} px, {spread * size:.0f} px each")
        for stride in (8, 4):
            plain = milliseconds(partial(field_loop, instances, size, stride), 1)
            line(f"loop over 66 limbs, stride {stride}", plain)
            for name, codec in codecs(12, 5, stride).items():
                if codec.max_individuals == 1:
                    continue
                taken = milliseconds(partial(codec.encode, instances, (size, size)))
                same = plain if "paf" in codec.output_channels(12) else None
                line(f"{name}, stride {stride}", taken, same)


def finding() -> None:
    """Print how long it takes to find 5 animals of 12 keypoints in each of 8 frames of 448 px."""
    print("finding 5 animals of 12 keypoints, 448 px, 66 edges")
    size = 448
    instances = labels(5, 12, size, 0.25)
    for stride in (8, 4):
        codec = CODECS.get("PartAffinityFields")(12, num_individuals=5, stride=stride)
        targets = codec.encode(instances, (size, size))
        outputs = {name: target for name, (target, _) in targets.items()}
        line(f"PartAffinityFields, stride {stride}", milliseconds(partial(codec.decode, outputs)))


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    heatmaps()
    several_animals()
    finding()


if __name__ == "__main__":
    main()
