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


@pytest.mark.parametrize("name", ["codec_hrnet", "codec_transpose_dark"])
@pytest.mark.parametrize("threshold", [0.9, 0.5])
def test_the_poses_that_remain_are_those_of_the_original(shared, name, threshold):
    file = np.load(shared / "golden" / "out" / f"{name}.npz")
    found = torch.tensor(file["in/nms_keypoints"]).float()
    side = torch.tensor(file["in/nms_areas"]).float().sqrt()
    boxes = torch.stack([0 * side, 0 * side, side, side], dim=-1)
    likely = found[..., 2].masked_fill(found[..., 2] <= 0.2, 0.0)  # the others do not count there
    scores = torch.tensor(file["in/nms_scores"]).float()
    poses = Poses(
        found[None, ..., :2],
        likely[None],
        scores[None],
        torch.ones(1, 6, dtype=torch.bool),
        boxes[None],
    )
    kept = oks_nms(poses, SIGMAS.tolist(), threshold)
    remaining = file[f"out/oks_nms_keep_{threshold}"]
    theirs = np.sort(file["in/nms_scores"][remaining])
    np.testing.assert_allclose(np.sort(kept.instance_scores[kept.valid].numpy()), theirs, rtol=1e-6)
