"""How long a condition takes that is made of labels (`GenerativeCondition`), for one crop.

    python tools/benchmark/conditions.py

prints the milliseconds of the processor for each crop on one core, with two animals beside it: the
mean of many crops, in the calmest of some rounds.
"""

from __future__ import annotations

import time

import numpy as np

from dlcreg.data.transforms.conditions import GenerativeCondition
from dlcreg.structures import Instances, Meta, Sample

ROUNDS, CROPS, NEIGHBOURS = 10, 50, 2


def animals(count: int, keypoints: int, rng: np.random.Generator) -> Instances:
    """Return animals of 200 pixels that overlap."""
    points = rng.uniform(0, 200, (count, keypoints, 2)).astype(np.float32)
    low, high = points.min(axis=1), points.max(axis=1)
    return Instances(
        keypoints=points,
        visibility=np.full((count, keypoints), 2, np.uint8),
        boxes=np.concatenate([low, high - low], axis=1),
        areas=np.prod(high - low, axis=1),
        valid=np.ones(count, bool),
        ids=np.arange(count),
    )


def milliseconds(keypoints: int) -> float:
    """Return the time of one crop."""
    rng = np.random.default_rng(0)
    image = np.zeros((256, 256, 3), np.uint8)
    pairs = [(i, i + 1) for i in range(0, keypoints - 1, 2)]
    transform = GenerativeCondition(flip_pairs=pairs, num_keypoints=keypoints)
    samples = [
        Sample(
            image,
            animals(1, keypoints, rng),
            np.eye(2, 3),
            Meta(0, "made", (256, 256), 0),
            neighbours=animals(NEIGHBOURS, keypoints, rng),
        )
        for _ in range(CROPS)
    ]
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for sample in samples:
            transform(sample, rng)
        rounds.append((time.process_time() - start) / CROPS)
    return 1e3 * min(rounds)


def main() -> None:
    """Print the time for 4, 20 and 50 keypoints."""
    for keypoints in (4, 20, 50):
        print(f"{keypoints:3} keypoints, {NEIGHBOURS} neighbours: {milliseconds(keypoints):.2f} ms")


if __name__ == "__main__":
    main()
