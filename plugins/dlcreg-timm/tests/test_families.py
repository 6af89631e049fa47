"""Channels, strides, layout and sizes of the families of timm, found without weights."""

import pytest
import torch
from torch import nn

FAMILIES = {
    "resnet50": {},
    "resnet18": {"output_stride": 8},
    "efficientnet_b0": {},
    "convnext_tiny": {"out_indices": (0, 1, 2, 3)},
    "mobilenetv3_small_100": {},
    "regnety_002": {},
    "hrnet_w18": {"out_indices": (1, 2, 3, 4)},
    "swin_tiny_patch4_window7_224": {"out_indices": (0, 1, 2, 3)},
    "swinv2_cr_tiny_224": {},
    "swinv2_tiny_window8_256": {},
    "vit_tiny_patch16_224": {},
    "vit_small_patch14_dinov2": {"out_indices": (5, 11)},
    "eva02_tiny_patch14_224": {},
    "beit_base_patch16_224": {"input_size": (160, 200)},
    "maxvit_tiny_tf_224": {"input_size": (160, 200)},
    "hiera_tiny_224": {"input_size": (160, 200)},
    "mvitv2_tiny": {},
    "pvt_v2_b0": {},
    "densenet121": {},
    "mambaout_femto": {},
    "edgenext_xx_small": {},
    "vgg11": {},
    "levit_128": {"input_size": (160, 200)},
}


def padded(size, divisor):
    return tuple(-(-length // divisor) * divisor for length in size)


def run(backbone, size=(160, 200), batch=1):
    with torch.no_grad():
        return backbone(torch.zeros(batch, 3, *padded(size, backbone.size_divisor), device="meta"))


@pytest.mark.parametrize("name", FAMILIES)
def test_maps_have_the_declared_channels_and_strides(timm_backbone, name):
    backbone = timm_backbone(name, **FAMILIES[name])
    height, width = padded((160, 200), backbone.size_divisor)
    expected = [
        (1, c, height // s, width // s)
        for c, s in zip(backbone.out_channels, backbone.out_strides, strict=True)
    ]
    assert [tuple(m.shape) for m in run(backbone)] == expected


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "vit_tiny_patch16_224"])
def test_transformers_whose_positions_interpolate_take_images_of_any_size(timm_backbone, name):
    backbone = timm_backbone(name)
    assert {tuple(m.shape[2:]) for size in [(64, 96), (320, 224)] for m in run(backbone, size)} == {
        tuple(length // backbone.out_strides[0] for length in size)
        for size in [(64, 96), (320, 224)]
    }


def test_the_branches_of_an_hrnet_are_those_of_pose_models(timm_backbone):
    from dlcreg.models.backbones.hrnet import HRNet

    backbone = timm_backbone("hrnet_w32")
    assert (backbone.out_channels, backbone.out_strides, backbone.size_divisor) == ((32,), (4,), 32)
    every = timm_backbone("hrnet_w32", out_indices=(1, 2, 3, 4))
    with torch.device("meta"):
        own = HRNet(32, out_indices=(0, 1, 2, 3))
    assert every.out_channels == own.out_channels
    assert sum(p.numel() for p in every.parameters()) == sum(p.numel() for p in own.parameters())
    wide = timm_backbone("hrnet_w32", feature_location="incre", out_indices=(1,))
    assert wide.out_channels == (128,)


def test_dilation_keeps_the_resolution(timm_backbone):
    assert timm_backbone("resnet18", output_stride=8).out_strides == (8,)
    assert timm_backbone("efficientnet_b0", output_stride=16).out_strides == (16,)


def test_drop_path_is_given_to_the_network(timm_backbone):
    def rates(**arguments):
        backbone = timm_backbone("convnext_atto", **arguments)
        return {m.drop_prob for m in backbone.modules() if type(m).__name__ == "DropPath"}

    assert rates() == set()
    assert max(rates(drop_path_rate=0.3)) == pytest.approx(0.3)


def test_a_network_of_one_size_is_made_for_the_wired_size(timm_backbone):
    assert timm_backbone("beit_base_patch16_224", input_size=(150, 200)).made_for == (160, 208)
    assert timm_backbone("maxvit_tiny_tf_224", input_size=(150, 200)).made_for == (160, 224)
    assert timm_backbone("maxvit_tiny_tf_224").made_for == (224, 224)


def test_images_of_another_size_are_refused_with_the_right_one(timm_backbone):
    backbone = timm_backbone("beit_base_patch16_224", input_size=(160, 208))
    text = r"beit_base_patch16_224 is made for images of 160 x 208, not 64 x 96 \(.+\). Bring all"
    with pytest.raises(ValueError, match=text):
        run(backbone, (64, 96))


def test_images_are_normalised_as_the_weights_want(timm_backbone):
    from dlcreg.models.pose_model import PoseModel

    backbone = timm_backbone("vit_tiny_patch16_224")
    assert backbone.image_mean == backbone.image_std == (0.5, 0.5, 0.5)
    model = PoseModel(backbone, head=nn.ModuleDict())
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 8, 8)
    assert model.normalise(images).unique().tolist() == pytest.approx([-1, 1], abs=1e-6)


def test_what_has_no_part_in_the_maps_does_not_learn():
    from dlcreg_timm.backbone import TimmBackbone

    backbone = TimmBackbone("test_efficientnet", out_indices=(1,))
    sum(m.square().sum() for m in backbone(torch.rand(2, 3, 64, 64))).backward()
    learns = {name for name, p in backbone.named_parameters() if p.requires_grad}
    reached = {name for name, p in backbone.named_parameters() if p.grad is not None}
    assert learns == reached
    assert len(learns) < len(list(backbone.parameters()))


def test_a_frozen_network_does_not_learn_and_keeps_its_statistics():
    from dlcreg_timm.backbone import TimmBackbone

    frozen = TimmBackbone("test_resnet", frozen=True).train()
    assert not any(p.requires_grad for p in frozen.parameters())
    assert not any(m.training for m in frozen.network.modules())
    fixed = TimmBackbone("test_resnet", norm_eval=True).train()
    assert all(p.requires_grad for p in fixed.parameters())
    norms = [m for m in fixed.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(m.training for m in norms)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "convnext_tinny"}, r"is no network of timm .* Did you mean 'convnext_tiny'"),
        ({"name": "resnet18.a9_in1k"}, r"resnet18 has no weights 'a9_in1k'. It has: .*a1_in1k"),
        (
            {"name": "resnet18", "out_indices": (9,)},
            r"out_indices=\[9\] is more than resnet18 has. Its maps, .* 0: 64 at stride 2; .* "
            "4: 512 at stride 32",
        ),
        ({"name": "vit_tiny_patch16_224", "out_indices": (40,)}, r"more than vit_tiny.* 11: 192"),
        ({"name": "resnet18", "out_indices": ()}, "out_indices must name at least one map"),
        (
            {"name": "hrnet_w32", "output_stride": 8},
            "output_stride=8 is nothing that hrnet_w32 can",
        ),
        (
            {"name": "convnext_tiny.fb_in1k", "feature_location": "incre"},
            "feature_location='incre' is for HRNet alone",
        ),
        ({"name": "vgg11", "drop_path_rate": 0.1}, "drop_path_rate is nothing that vgg11 has"),
        ({"name": "resnet18", "drop_path_rate": 1.5}, r"drop_path_rate must lie in \[0, 1\)"),
        ({"name": "resnet18", "options": {"widht": 3}}, "options: resnet18 takes no 'widht'"),
        ({"name": "resnet18", "options": {"pretrained": True}}, "options has 'pretrained'"),
        (
            {"name": "resnet18", "options": {"feature_cls": "none"}},
            "name='resnet18': timm cannot build it with feature maps",
        ),
        (
            {"name": "swin_tiny_patch4_window7_224", "output_stride": 8},
            "output_stride is nothing that swin_tiny_patch4_window7_224 has",
        ),
    ],
)
def test_what_timm_cannot_do_is_refused_in_the_words_of_the_config(timm_backbone, arguments, text):
    with pytest.raises(ValueError, match=text):
        timm_backbone(**arguments)
