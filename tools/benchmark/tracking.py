"""Frames a second of the trackers, and seconds of stitching.

    python tools/benchmark/tracking.py [--frames 5000]

generates animals that walk about in a field of 2,000 pixels, each of 60 pixels; a tenth of the
keypoints and a twentieth of the animals are not found in a frame. It prints, for 2 animals of 13
keypoints and for 10 of 12, the frames a second of each tracker on one core, and the seconds in
which what it found was stitched.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from dlcreg import DatasetInfo, Recording
from dlcreg.analysis.stitching import stitch
from dlcreg.analysis.tracking import build_tracker, tracker_names, tracklet_numbers
from dlcreg.analysis.tracklets import tracklets_of


def walking(frames: int, animals: int, keypoints: int) -> Recording:
    """Return animals whose rows change from frame to frame."""
    rng = np.random.default_rng(0)
    shape = rng.uniform(-30, 30, (keypoints, 2))
    speed = rng.normal(0, 1, (frames, animals, 2)).cumsum(axis=0) / 10
    centres = (speed.cumsum(axis=0) + rng.uniform(0, 2000, (animals, 2))) % 4000
    centres = np.where(centres > 2000, 4000 - centres, centres)  # they turn at the walls
    points = centres[:, :, None] + shape + rng.normal(0, 2, (frames, animals, keypoints, 2))
    points[rng.random(points.shape[:3]) < 0.1] = np.nan
    points[rng.random(points.shape[:2]) < 0.05] = np.nan
    order = rng.permuted(np.tile(np.arange(animals), (frames, 1)), axis=1)
    points = np.take_along_axis(points, order[..., None, None], axis=1).astype(np.float32)
    scores = np.isfinite(points).all(axis=-1).astype(np.float32)
    names = tuple(f"k{i}" for i in range(keypoints))
    return Recording(points, scores, scores.mean(axis=-1), DatasetInfo(names))


def main() -> None:
    """Print a line for each tracker and number of animals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=5000)
    frames = parser.parse_args().frames
    print(
        f"{'tracker':14s}{'animals':>10s}{'frames/s':>10s}{'tracklets':>11s}{'stitching, s':>14s}"
    )
    for animals, keypoints in ((2, 13), (10, 12)):
        recording = walking(frames, animals, keypoints)
        for name in tracker_names():
            start = time.process_time()
            numbers = tracklet_numbers(recording, build_tracker(name, recording))
            rate = frames / (time.process_time() - start)
            start = time.process_time()
            found = tracklets_of(recording, numbers)
            stitch(found, animals)
            seconds = time.process_time() - start
            what = f"{animals} x {keypoints}"
            print(f"{name:14s}{what:>10s}{rate:10.0f}{len(found):11d}{seconds:14.2f}", flush=True)


if __name__ == "__main__":
    main()
