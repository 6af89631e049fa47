"""DLCRNet: two banks of early features beside the last ones, and what its originals do besides."""

from __future__ import annotations

import pytest
import torch

from dlcreg.models.backbones.dlcrnet import DLCRNet
from dlcreg.models.backbones.hrnet import HRNet
from dlcreg.models.backbones.resnet import ResNet
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.heads.dlcrnet import DLCRNetHead
from dlcreg.models.layers.multi_fusion import doubled
from dlcreg.models.pose_model import PoseModel


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(strided_block="last"),
        dict(upsampled_channels=24),
        dict(engine="pytorch"),
        dict(engine="pytorch", output_stride=32),
        dict(engine="pytorch", strided_block="last", fused_channels=16),
    ],
)
def test_it_declares_the_shape_that_it_gives(depth, options):
    with torch.device("meta"):
        model = DLCRNet(depth, **options)
        (x,) = model(torch.zeros(1, 3, 64, 96))
    (stride,) = model.out_strides
    assert x.shape == (1, *model.out_channels, 64 // stride, 96 // stride)


def test_its_channels_are_the_paper_s():
    with torch.device("meta"):
        assert DLCRNet(50).out_channels == (128 + 128 + 2048,)


@pytest.mark.parametrize("norm", [False, True])
def test_channels_whose_offset_went_astray_are_alive_if_they_are_normalised(images, norm):
    model = DLCRNet(18, upsampled_channels=8, upsampled_norm=norm)
    torch.nn.init.constant_(model.upsample[0].bias, -100.0)
    model(images)[0].square().sum().backward()
    assert model.upsample[0].weight.grad.any() == norm


@pytest.mark.parametrize("engine", ["pytorch", "tensorflow"])
@pytest.mark.parametrize("detach", [False, True])
def test_gradients_go_through_the_banks_unless_they_are_detached(images, engine, detach):
    model = DLCRNet(18, engine=engine, detach_banks=detach)
    model(images)[0][:, :256].square().sum().backward()
    assert model.fuse1[0].conv.weight.grad.abs().sum() > 0
    gradient = model.resnet.conv1.weight.grad
    assert (gradient is None or not gradient.any()) == detach


def test_frozen_norms_neither_learn_nor_keep_statistics(images):
    model = DLCRNet(18, engine="pytorch", frozen_norms=True).train()
    before = {k: v.clone() for k, v in model.state_dict().items() if ".running_" in k}
    model(images)[0].sum().backward()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert not module.weight.requires_grad, name
    assert all(torch.equal(model.state_dict()[k], v) for k, v in before.items())
    assert model.fuse1[0].conv.weight.grad is not None


@pytest.mark.parametrize("batch_statistics", [False, True])
def test_an_image_depends_on_its_batch_only_where_that_is_asked_for(images, batch_statistics):
    model = DLCRNet(18, batch_statistics=batch_statistics).eval()
    with torch.no_grad():
        alone, together = model(images[:1])[0], model(images)[0][:1]
    apart = (alone - together).abs().max() / together.abs().max()
    assert (apart > 1e-3) == batch_statistics


def test_batch_statistics_of_evaluation_leave_the_running_ones_alone(images):
    model = DLCRNet(18, batch_statistics=True).eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model(images)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_pixels_are_taken_as_they_are_where_the_mean_is_subtracted_here():
    torch.manual_seed(0)
    backbone = DLCRNet(18, pixel_mean=(123.68, 116.779, 103.939))
    head = DLCRNetHead(*backbone.out_channels, *backbone.out_strides, 3, GaussianHeatmap(), {})
    model = PoseModel(backbone, head=head).eval()
    pixels = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.allclose(model(pixels)["heatmap"], model(pixels.float())["heatmap"])
        plain = DLCRNet(18).eval()
        plain.load_state_dict(backbone.state_dict())
        mean = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)
        assert torch.allclose(plain(pixels - mean)[0], backbone(pixels.float())[0], atol=1e-3)


def test_an_image_too_small_for_convolutions_without_padding_is_no_matter():
    with torch.no_grad():
        (x,) = DLCRNet(18, engine="pytorch").eval()(torch.randn(1, 3, 16, 48))
    assert x.shape[2:] == (1, 3)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 4)])
def test_doubling_takes_the_pixels_that_tensorflow_takes(size):
    x = torch.randn(1, 2, *size)
    found = doubled(x)[0]
    for row in range(2 * size[0]):
        for column in range(2 * size[1]):
            near = [
                x[0, :, r, c]
                for r in {row // 2, min((row + 1) // 2, size[0] - 1)}
                for c in {column // 2, min((column + 1) // 2, size[1] - 1)}
            ]
            assert torch.allclose(found[:, row, column], torch.stack(near).mean(dim=0), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(engine="jax"), "engine must be 'pytorch' or 'tensorflow'"),
        (dict(output_stride=8), "output_stride must be 16 or 32"),
        (dict(output_stride=32), "output_stride=32 needs engine='pytorch'"),
        (dict(engine="pytorch", batch_statistics=True), "needs engine='tensorflow'"),
        (dict(fused_channels=0), "at least 1: 0, None"),
        (dict(upsampled_channels=0), "at least 1: 128, 0"),
        (dict(upsampled_norm=True), "needs upsampled_channels"),
        (dict(pixel_mean=(1.0, 2.0)), "pixel_mean needs 3 values"),
    ],
)
def test_values_without_sense_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        DLCRNet(18, **options)


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize(
    ("output_stride", "strides"), [(8, (8, 8, 8, 8)), (16, (8, 16, 16, 16)), (32, (8, 16, 32, 32))]
)
def test_a_resnet_whose_last_blocks_stride_declares_its_shapes(depth, output_stride, strides):
    with torch.device("meta"):
        model = ResNet(depth, output_stride, (0, 1, 2, 3), strided_block="last")
        maps = model(torch.zeros(1, 3, 64, 96))
    assert model.out_strides == strides
    assert [tuple(x.shape[2:]) for x in maps] == [(64 // s, 96 // s) for s in strides]


def test_the_last_block_s_shortcut_takes_every_other_cell():
    model = ResNet(18, strided_block="last")
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(model.layer1[-1].downsample(x), x[..., ::2, ::2])
    assert model.layer1[0].downsample is None


def test_a_resnet_of_group_normalisation_has_the_names_and_parameters_of_the_other():
    with torch.device("meta"):
        batch, group = ResNet(50), ResNet(50, norm="group")
    names = {name: p.shape for name, p in batch.named_parameters()}
    assert {name: p.shape for name, p in group.named_parameters()} == names
    assert not list(group.buffers())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(norm="layer"), "norm must be 'batch' or 'group'"),
        (dict(norm="group", norm_eval=True), "group normalisation has no statistics"),
        (dict(norm="group", weights="imagenet"), "is of depth 50, not 18"),
        (dict(strided_block="middle"), "strided_block must be 'first' or 'last'"),
    ],
)
def test_options_of_a_resnet_without_sense_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        ResNet(18, **options)


def test_the_full_fusion_of_an_hrnet_changes_no_output(images):
    torch.manual_seed(0)
    full = HRNet(4, full_fusion=True).eval()
    finest = HRNet(4).eval()
    state = full.state_dict()
    finest.load_state_dict({name: state[name] for name in finest.state_dict()})
    with torch.no_grad():
        (one,), (other,) = full(images), finest(images)
    assert torch.equal(one, other)
    assert len(state) == len(HRNet(4, out_indices=(0, 1, 2, 3)).state_dict())
