"""Images seen at several scales."""

from __future__ import annotations

import pytest
import torch

from dlcreg.models.codecs.dekr import DEKROffsets
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.codecs.paf import PartAffinityFields
from dlcreg.models.codecs.plateau import PlateauHeatmap
from dlcreg.models.codecs.simcc import SimCC

SIZE = (128, 192)
SCALES = (0.5, 1, 2)
CODECS = {
    "gaussian": (lambda: GaussianHeatmap(stride=4, locref_std=7.0), 1),
    "plateau": (lambda: PlateauHeatmap(stride=4), 1),
    "dekr": (lambda: DEKROffsets(stride=4), 2),
    "corner": (lambda: DEKROffsets(stride=4, anchor="corner"), 2),
    "paf": (lambda: PartAffinityFields(4, num_individuals=2, stride=4), 2),
}


@pytest.mark.parametrize("name", CODECS)
def test_what_is_drawn_at_every_scale_is_found_in_place(label, targets_as_outputs, name):
    make, animals = CODECS[name]
    animal = torch.tensor([[0.0, 0.0], [24.0, 3.0], [40.0, 22.0], [60.0, 5.0]])
    points = torch.stack([animal + 30, animal.flip(0) + torch.tensor([90.0, 70.0])])[None, :animals]
    codec, outputs = make(), []
    for scale in SCALES:
        size = (int(SIZE[0] * scale), int(SIZE[1] * scale))
        # the outer edges of the images lie on one another
        outputs.append(targets_as_outputs(codec, label((points + 0.5) * scale - 0.5), size))
    poses = codec.decode_scales(outputs, SCALES, SIZE)
    assert poses.valid.sum() == animals
    apart = (poses.keypoints[:, :, None] - points[:, None]).abs().amax(dim=(-1, -2))
    assert apart[poses.valid].amin(dim=-1).max() < 1.5


def test_a_codec_that_cannot_says_so():
    with pytest.raises(NotImplementedError, match="SimCC has no multi-scale test"):
        SimCC().decode_scales([{}], (1,), SIZE)
