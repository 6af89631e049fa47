"""Suppression by object keypoint similarity against that of the original HRNet and TransPose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcreg.solvers.proposed import oks_nms
from dlcreg.structures import Poses

SIGMAS = np.array(
    [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89], float
) / 1000  # fmt: skip


@pytest.mark.codec_file("codec_hrnet", "in/nms_*", "out/oks_nms_keep_*")
@pytest.mark.codec_file("codec_transpose_dark", "in/nms_*", "out/oks_nms_keep_*")
def test_the_poses_that_remain_are_those_of_the_original(codec_files):
    for file in codec_files:
        found = torch.tensor(file["in/nms_keypoints"]).float()
        side = torch.tensor(file["in/nms_areas"]).float().sqrt()
        boxes = torch.stack([0 * side, 0 * side, side, side], dim=-1)
        likely = found[..., 2].masked_fill(found[..., 2] <= 0.2, 0.0)  # the others do not count
        scores = torch.tensor(file["in/nms_scores"]).float()
        poses = Poses(
            found[None, ..., :2],
            likely[None],
            scores[None],
            torch.ones(1, 6, dtype=torch.bool),
            boxes[None],
        )
        for threshold in (0.9, 0.5):
            kept = oks_nms(poses, SIGMAS.tolist(), threshold)
            remaining = kept.instance_scores[kept.valid].sort(descending=True).values
            rows = (remaining[:, None] == scores).int().argmax(dim=1)
            file.compare(f"out/oks_nms_keep_{threshold}", rows)
