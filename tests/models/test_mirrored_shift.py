"""A flip test of codecs that ask for mirrored images to be moved."""

from __future__ import annotations

import torch

from dlcreg.contracts import Backbone
from dlcreg.models.codecs.dekr import DEKROffsets
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.heads.dekr import DEKRHead
from dlcreg.models.heads.heatmap import HeatmapHead
from dlcreg.models.necks.identity import IdentityNeck
from dlcreg.models.pose_model import PoseModel


class Remembering(Backbone):
    """Every fourth pixel; keeps what it was shown."""

    def __init__(self):
        super().__init__()
        self.out_channels, self.out_strides = (3,), (4,)

    def forward(self, images):
        self.seen = images
        return (images[..., ::4, ::4],)


def test_each_head_is_given_the_images_moved_as_its_codec_asks():
    backbone = Remembering()
    neck = IdentityNeck(backbone.out_channels, backbone.out_strides)
    moving = DEKRHead(3, 4, 2, DEKROffsets(anchor="corner", shift_mirrored=True), {})
    plain = HeatmapHead(3, 4, 2, GaussianHeatmap(), {}, ())
    model = PoseModel(backbone, neck, head=dict(moving=moving, plain=plain)).eval()
    images = torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        found = model(images, mode="predict", flip_test=True)
        straight, mirrored, moved = backbone.seen.chunk(3)
        heads = {name: head((backbone.seen[..., ::4, ::4],)) for name, head in model.heads.items()}
    assert torch.equal(straight, images)
    assert torch.equal(mirrored, images.flip(-1))
    assert torch.equal(moved[..., :-3], mirrored[..., 3:])
    assert torch.equal(moved[..., -3:], mirrored[..., -3:])
    assert found.keys() == {"moving", "plain"}
    # with this shift, the cells of the mirrored image lie on those of the image
    back = heads["plain"]["heatmap"][4:].flip(-1)
    assert torch.allclose(back, heads["plain"]["heatmap"][:2], atol=1e-5)
