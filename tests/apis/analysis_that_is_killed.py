"""An analysis in a process of its own, which stops after some frames, so that it can be killed."""

import sys
import time
from pathlib import Path

import torch

from dlcreg.analysis import claims
from dlcreg.apis import video_poses
from dlcreg.cli import main
from dlcreg.data.video.pyav import PyAVReader

sys.path.append(str(Path(__file__).parents[1] / "helpers"))  # for the models of the tests


def stop_at(count: int, told: Path) -> None:
    """Let the process stand still when it has read some frames, and say so by a file."""
    read = PyAVReader.frames

    def frames(self, start=0):
        for frame in read(self, start):
            if frame.index == start + count:
                time.sleep(0.3)  # for what is on its way
                told.touch()
                time.sleep(600)
            yield frame

    PyAVReader.frames = frames


if __name__ == "__main__":
    torch.set_num_threads(1)
    count, told, *argv = sys.argv[1:]
    video_poses._EVERY = 0.0  # a chunk for each group of frames
    claims.HEARTBEAT = 0.2
    if int(count):
        stop_at(int(count), Path(told))
    sys.exit(main(["analyze", *argv]) if argv else 0)
