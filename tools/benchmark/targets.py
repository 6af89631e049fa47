"""How long codecs take to draw their targets, beside a plain loop over images and keypoints.

    python tools/benchmark/targets.py

prints the median of each codec of heatmaps for one batch on one core, and how many times faster
it is than the loop in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from dlcreg.registry import CODECS
from dlcreg.schema import signature_of
from dlcreg.structures import DatasetInfo, Instances
from dlcreg.wiring import construct

BATCH, KEYPOINTS, SIZE, STRIDE, SIGMA, REPEATS = 8, 20, (256, 256), 4, 2.0, 30
INFO = DatasetInfo(keypoint_names=tuple(f"k{index}" for index in range(KEYPOINTS)))


def labels() -> Instances:
    """Return one animal an image, its keypoints anywhere."""
    return Instances(
        keypoints=torch.rand(BATCH, 1, KEYPOINTS, 2) * SIZE[0],
        visibility=torch.full((BATCH, 1, KEYPOINTS), 2, dtype=torch.uint8),
        boxes=torch.zeros(BATCH, 1, 4),
        areas=torch.ones(BATCH, 1),
        valid=torch.ones(BATCH, 1, dtype=torch.bool),
        ids=torch.zeros(BATCH, 1, dtype=torch.int64),
    )


def loop(instances: Instances) -> torch.Tensor:
    """Draw Gaussians keypoint by keypoint."""
    height, width = (length // STRIDE for length in SIZE)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    maps = torch.zeros(BATCH, KEYPOINTS, height, width)
    for image in range(BATCH):
        for keypoint in range(KEYPOINTS):
            px, py = (instances.keypoints[image, 0, keypoint] - (STRIDE - 1) / 2) / STRIDE
            squared = (x - px) ** 2 + (y - py) ** 2
            maps[image, keypoint] = torch.exp(-squared / (2 * SIGMA**2))
    return maps


def milliseconds(call: Callable[[], object]) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return median(times)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    instances = labels()
    plain = milliseconds(lambda: loop(instances))
    print(f"{'loop':16s} {plain:8.2f} ms")
    for row in CODECS.listing():
        takes_stride = "stride" in signature_of(CODECS.get(row.name)).parameters
        options = {"stride": STRIDE} if takes_stride else {}
        codec = construct(CODECS, {"type": row.name, **options}, INFO.wiring(), "codec")
        taken = milliseconds(lambda codec=codec: codec.encode(instances, SIZE))
        print(f"{row.name:16s} {taken:8.2f} ms  {plain / taken:6.1f} times as fast")


if __name__ == "__main__":
    main()
