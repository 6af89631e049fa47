"""Backbones: declared shapes are the real ones, weights load by their published names."""

from __future__ import annotations

import pytest
import torch
import torchvision

from dlcreg.errors import CheckpointError
from dlcreg.models.backbones.hrnet import HRNet
from dlcreg.models.backbones.resnet import ResNet


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_resnet_declares_the_shapes_that_it_gives(depth, output_stride):
    with torch.device("meta"):
        model = ResNet(depth, output_stride, out_indices=(0, 1, 2, 3))
        maps = model(torch.zeros(1, 3, 64, 96))
    for feature, channels, stride in zip(maps, model.out_channels, model.out_strides, strict=True):
        assert feature.shape == (1, channels, 64 // stride, 96 // stride)
    assert model.out_strides[-1] == output_stride


@pytest.mark.parametrize("width", [18, 32, 48])
def test_hrnet_declares_the_shapes_that_it_gives(width):
    with torch.device("meta"):
        model = HRNet(width, out_indices=(0, 1, 2, 3))
        maps = model(torch.zeros(1, 3, 64, 96))
    assert model.out_channels == (width, 2 * width, 4 * width, 8 * width)
    for feature, channels, stride in zip(maps, model.out_channels, model.out_strides, strict=True):
        assert feature.shape == (1, channels, 64 // stride, 96 // stride)


@pytest.mark.parametrize(
    ("depth", "count"), [(18, 11_176_512), (50, 23_508_032), (101, 42_500_160), (152, 58_143_808)]
)
def test_resnet_has_the_published_number_of_parameters(depth, count):
    with torch.device("meta"):
        assert sum(p.numel() for p in ResNet(depth).parameters()) == count


@pytest.mark.parametrize(("output_stride", "dilate"), [(8, [0, 1, 1]), (16, [0, 0, 1])])
def test_dilated_resnet_equals_torchvision_s(output_stride, dilate):
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50(replace_stride_with_dilation=list(map(bool, dilate)))
    ours = ResNet(50, output_stride)
    state = {k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    ours.load_state_dict(state)
    images = torch.randn(1, 3, 64, 64)
    x = theirs.eval().maxpool(theirs.relu(theirs.bn1(theirs.conv1(images))))
    for stage in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
        x = stage(x)
    assert torch.equal(ours.eval()(images)[0], x)


def test_the_finest_branch_of_hrnet_does_not_depend_on_the_others_being_returned():
    torch.manual_seed(0)
    every = HRNet(18, out_indices=(0, 1, 2, 3)).eval()
    state = every.state_dict()
    finest = HRNet(18).eval()
    finest.load_state_dict({k: state[k] for k in finest.state_dict()})
    images = torch.randn(1, 3, 64, 64)
    assert torch.allclose(finest(images)[0], every(images)[0])


def test_weights_of_a_classifier_load_from_a_file(tmp_path):
    path = tmp_path / "resnet18.pth"
    source = torchvision.models.resnet18().state_dict()
    torch.save(source, path)
    model = ResNet(18, weights=str(path))
    assert torch.equal(model.layer4[1].conv2.weight, source["layer4.1.conv2.weight"])


def test_weights_of_an_hrnet_classifier_load_from_a_file(tmp_path):
    path = tmp_path / "hrnet.pth"
    source = HRNet(18, out_indices=(0, 1, 2, 3)).state_dict()
    source["classifier.weight"] = torch.zeros(3, 3)
    source["incre_modules.0.0.conv1.weight"] = torch.zeros(3, 3)
    torch.save({"state_dict": source}, path)
    model = HRNet(18, weights=str(path))
    assert torch.equal(model.conv2.weight, source["conv2.weight"])


def test_weights_of_another_depth_are_refused_with_the_list(tmp_path):
    path = tmp_path / "resnet18.pth"
    torch.save(torchvision.models.resnet18().state_dict(), path)
    with pytest.raises(CheckpointError, match="does not fit ResNet") as error:
        ResNet(34, weights=str(path))
    assert "missing: layer1.2.bn1.bias" in str(error.value)


@pytest.mark.parametrize("cls", [ResNet, HRNet])
def test_a_check_on_the_meta_device_loads_no_weights(cls, tmp_path):
    (tmp_path / "weights.pth").write_text("nothing that could be read")
    with torch.device("meta"):
        model = cls(weights=str(tmp_path / "weights.pth"))
    assert next(model.parameters()).is_meta


def test_without_a_network_the_message_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match="cannot be downloaded") as error:
        ResNet(18, weights="http://127.0.0.1:9/resnet18.pth")
    assert "copy it to" in str(error.value)
    assert "None to start from random weights" in str(error.value)


@pytest.mark.parametrize("make", [lambda **k: ResNet(18, **k), lambda **k: HRNet(18, **k)])
def test_frozen_stages_neither_learn_nor_keep_statistics(make):
    model = make(frozen_stages=2).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    sum(m.square().mean() for m in model(torch.randn(2, 3, 64, 64))).backward()
    frozen = ("conv1", "bn1", "conv2", "bn2", "layer1")
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith(frozen), name
    for name, value in model.state_dict().items():
        if name.startswith(frozen):
            assert torch.equal(value, before[name])
    assert movement_of_statistics(model, before) > 0


def movement_of_statistics(model, before) -> float:
    """How far the means of batch normalisation have moved."""
    return sum(
        float((value - before[name]).abs().sum())
        for name, value in model.state_dict().items()
        if name.endswith("running_mean")
    )


@pytest.mark.parametrize("make", [lambda **k: ResNet(18, **k), lambda **k: HRNet(18, **k)])
def test_norm_eval_keeps_the_statistics_but_learns_the_weights(make):
    model = make(norm_eval=True).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    sum(m.square().mean() for m in model(torch.randn(2, 3, 64, 64))).backward()
    assert movement_of_statistics(model, before) == 0
    assert model.bn1.weight.grad is not None


def test_every_parameter_of_hrnet_gets_a_gradient():
    model = HRNet(18, out_indices=(0, 1, 2, 3))
    sum(m.square().mean() for m in model(torch.randn(2, 3, 64, 64))).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ResNet(49), "depth must be one of"),
        (lambda: ResNet(18, output_stride=4), "output_stride must be 8, 16 or 32"),
        (lambda: ResNet(18, out_indices=(3, 1)), "in rising order"),
        (lambda: ResNet(18, out_indices=(4,)), "stages of 0 to 3"),
        (lambda: ResNet(18, out_indices=()), "at least one stage"),
        (lambda: ResNet(18, frozen_stages=6), "frozen_stages must be 0 to 5"),
        (lambda: HRNet(0), "width must be at least 1"),
        (lambda: HRNet(18, out_indices=(0, 5)), "branches of 0 to 3"),
        (lambda: HRNet(18, frozen_stages=-1), "frozen_stages must be 0 to 5"),
        (lambda: HRNet(20, weights="imagenet"), "exists for a width of 18, 30, 32"),
    ],
)
def test_values_without_sense_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize(("early", "second"), [(False, 1), (True, 2)])
def test_the_block_that_would_stride_may_dilate_in_its_second_convolution(early, second):
    """As timm has it, which DeepLabCut builds its networks with."""
    first, other = ResNet(depth=18, output_stride=16, early_dilation=early).layer4.children()
    dilations = [c.dilation[0] for b in (first, other) for c in (b.conv1, b.conv2)]
    assert dilations == [1, second, 2, 2]
