"""A training of real parts, for a process of its own: it can be killed and resumed."""

import argparse
import sys
import time
from pathlib import Path

import torch
from mmengine.hooks import Hook
from torch import nn

from dlcreg.contracts import Backbone
from dlcreg.data import PoseDataset
from dlcreg.data.demo import generate
from dlcreg.data.loader import EpochLoader
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.heads.heatmap import HeatmapHead
from dlcreg.models.pose_model import PoseModel
from dlcreg.solvers.losses.mse import MSELoss
from dlcreg.solvers.metrics.pixel_error import PixelError
from dlcreg.solvers.signals import TrainingInterrupted
from dlcreg.solvers.solver import Solver


class Small(Backbone):
    """Two convolutions with batch normalisation and dropout."""

    def __init__(self):
        super().__init__()
        self.out_channels, self.out_strides = (8,), (4,)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout2d(0.2),
            nn.Conv2d(8, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
        )

    def forward(self, images):
        return (self.layers(images),)


class Announce(Hook):
    """Says how far the run is, and waits there if asked to."""

    def __init__(self, pause, seconds):
        self.pause, self.seconds = pause, seconds

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        print(f"iteration {runner.iter + 1}", flush=True)
        if runner.iter + 1 == self.pause:
            time.sleep(self.seconds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work_dir", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--interval", type=int, default=0)
    parser.add_argument("--pause", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)

    project = options.work_dir.with_name("project")
    if not project.exists():
        generate(project, frames=16, size=(64, 64), seed=0, video=False)
    steps = [
        {"type": "Resize", "size": (32, 32)},
        {"type": "Affine", "rotation": 30, "scale": (0.8, 1.2)},
        {"type": "Flip", "p": 0.5},
    ]
    train = PoseDataset(project, transform=steps, mode="train", seed=3)
    val = PoseDataset(project, transform=steps[:1], mode="test")

    torch.manual_seed(0)
    keypoints = train.info.num_keypoints
    head = HeatmapHead(
        in_channels=8,
        in_strides=4,
        num_keypoints=keypoints,
        codec=GaussianHeatmap(sigma=1.5),
        losses={"heatmap": MSELoss()},
        deconv_channels=(),
    )
    every = {"checkpoint_interval": options.interval, "checkpoint_by_epoch": False}
    solver = Solver(
        PoseModel(Small(), head=head),
        EpochLoader(train, 3, options.workers, seed=5, shuffle=True),
        EpochLoader(val, 3, options.workers),
        work_dir=options.work_dir,
        optimizer={"type": "AdamW", "lr": 1e-2},
        schedule=[{"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "end": 6}],
        max_epochs=3,
        metrics=[PixelError()],
        ema=0.05,
        hooks=[Announce(options.pause, options.seconds)],
        tensorboard=False,
        **(every if options.interval else {}),
    )
    if options.resume:
        solver.resume()
    try:
        solver.fit()
    except TrainingInterrupted as interruption:
        sys.exit(128 + interruption.signum)


if __name__ == "__main__":
    main()
