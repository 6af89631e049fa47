"""What a dynamic crop gains, and by how much poses change, on frames of a video.

    python tools/benchmark/dynamic_crop.py CHECKPOINT VIDEO [--frames 300] [--margin 50]
        [--threshold 0.5] [--pcutoff 0.6]

Prints JSON: frames a second and processor seconds a frame of a model that sees whole frames, in
batches and one by one, and of the same model with the crop; the share of the pixels that it then
sees; and the distances in pixels between the poses of both, of the keypoints that both times have
a likelihood of ``--pcutoff`` or more: their median, mean and 99th percentile, and the largest.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import islice
from typing import Any

import numpy as np

from dlcreg import DynamicCrop, Predictor
from dlcreg.data.video import open_video
from dlcreg.inference.dynamic_crop import CropFollower
from dlcreg.inference.sources import Frame
from dlcreg.structures import Meta


def timed(predictor: Predictor, images: list[np.ndarray]) -> tuple[dict[str, float], np.ndarray]:
    """Return the rates, and x, y, likelihood of all keypoints of the first animal."""
    began, worked = time.perf_counter(), time.process_time()
    found = predictor(images)
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    rates = {"frames/s": len(images) / seconds, "cpu s/frame": work / len(images)}
    poses = np.full((len(images), predictor.info.num_keypoints, 3), np.nan)
    for index, one in enumerate(found):
        if one.valid.any():
            poses[index] = np.concatenate([one.keypoints[0, 0], one.scores[0, 0, :, None]], axis=-1)
    return rates, poses


def share_seen(predictor: Predictor, settings: DynamicCrop, images: list[np.ndarray]) -> float:
    """Return which share of the pixels lies in the crops."""
    follower, shares = CropFollower(predictor, settings), [1.0]
    frames = (Frame(Meta(i, "", one.shape[:2]), image=one) for i, one in enumerate(images))
    for frame, _ in follower.on_frames(frames):
        x1, x2, y1, y2 = follower.window or (0, frame.meta.size[1], 0, frame.meta.size[0])
        shares.append((x2 - x1) * (y2 - y1) / np.prod(frame.meta.size))
    return float(np.mean(shares[:-1]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("video")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--margin", type=float, default=50.0)
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--pcutoff", type=float, default=0.6)
    args = parser.parse_args()
    with open_video(args.video) as reader:
        images = [frame.image for frame in islice(reader.frames(), args.frames)]
    images = [image for image in images if image is not None]
    settings = DynamicCrop(args.threshold, args.margin)
    found: dict[str, Any] = {"frames": len(images)}
    ways = {
        "whole, in fours": {"batch_size": 4},
        "whole, one by one": {"batch_size": 1},
        "dynamic crop": {"batch_size": 1, "dynamic_crop": settings},
    }
    poses = {}
    for name, options in ways.items():
        predictor = Predictor(args.checkpoint, device="cpu", **options)
        predictor(images[:2])
        found[name], poses[name] = timed(predictor, images)
    found["pixels seen"] = share_seen(predictor, settings, images)
    one, other = poses["whole, in fours"], poses["dynamic crop"]
    likely = (one[..., 2] >= args.pcutoff) & (other[..., 2] >= args.pcutoff)
    apart = np.linalg.norm(one[..., :2] - other[..., :2], axis=-1)[likely]
    quantiles = np.quantile(apart, (0.5, 0.99)).tolist() if len(apart) else [np.nan] * 2
    found["px apart"] = dict(zip(("median", "99 %"), quantiles, strict=True))
    found["px apart"] |= {"mean": float(apart.mean()), "most": float(apart.max())}
    found["likely points"] = [int((some[..., 2] >= args.pcutoff).sum()) for some in (one, other)]
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
