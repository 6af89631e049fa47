"""Detectors of torchvision: their boxes in pixels of our images, their labels and their weights."""

from __future__ import annotations

from urllib.error import URLError

import pytest
import torch
from torchvision.models import detection

from dlcreg.errors import CheckpointError
from dlcreg.models.detectors.faster_rcnn import FasterRCNN
from dlcreg.models.detectors.ssdlite import SSDLite
from dlcreg.structures import Instances

SMALL = dict(size=(64, 96), width=0.25, norm="group")
MOBILE = "mobilenet_v3_large_320_fpn"
GROUPS = dict(backbone=MOBILE, anchors=(24,), stride=4, width=0.25, norm="group")


def labelled(*boxes: tuple[float, ...]) -> Instances:
    """Return the labels of one image with these boxes."""
    count = len(boxes)
    return Instances(
        keypoints=torch.zeros(1, count, 3, 2),
        visibility=torch.zeros(1, count, 3, dtype=torch.uint8),
        boxes=torch.tensor(boxes).view(1, count, 4),
        areas=torch.ones(1, count),
        valid=torch.ones(1, count, dtype=torch.bool),
        ids=torch.zeros(1, count, dtype=torch.int64),
    )


def original(name: str, seed: int = 0, **options):
    torch.manual_seed(seed)
    build = getattr(detection, name)
    return build(weights=None, weights_backbone=None, num_classes=2, **options).eval()


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("ssdlite320_mobilenet_v3_large", lambda: SSDLite()),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", lambda: FasterRCNN(MOBILE, min_score=0.05)),
    ],
)
def test_boxes_are_those_of_torchvision_from_pixel_centres(name, own):
    theirs, ours = original(name), own().eval()
    ours.network.load_state_dict(theirs.state_dict())
    images = torch.rand(1, 3, 150, 210, generator=torch.Generator().manual_seed(1))
    mean, std = theirs.transform.image_mean, theirs.transform.image_std
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (mean, std))
    with torch.no_grad():
        wanted = theirs(list(images))[0]
        found = ours.predict((images - mean) / std)
    corners, boxes = wanted["boxes"], found.boxes[0]
    assert len(boxes) == len(corners) > 0
    assert torch.allclose(boxes[:, :2] + 0.5, corners[:, :2], atol=1e-3)
    assert torch.allclose(boxes[:, 2:], corners[:, 2:] - corners[:, :2], atol=1e-3)
    assert torch.allclose(found.scores[0], wanted["scores"], atol=1e-5)


@pytest.mark.parametrize("name", ["resnet50_fpn", "resnet50_fpn_v2", "mobilenet_v3_large_fpn"])
def test_the_larger_ones_have_the_parameters_of_torchvision(name):
    with torch.device("meta"):
        theirs = getattr(detection, f"fasterrcnn_{name}")(
            weights=None, weights_backbone=None, num_classes=2
        )
        ours = FasterRCNN(name).network
    shapes = [{k: v.shape for k, v in one.state_dict().items()} for one in (theirs, ours)]
    assert shapes[0] == shapes[1]


def test_the_addresses_of_the_weights_are_those_of_torchvision():
    from torchvision import models

    from dlcreg.models.detectors import faster_rcnn, ssdlite

    known = {address for one in faster_rcnn._ADDRESSES.values() for address in one.values()} | set(
        ssdlite._ADDRESSES.values()
    )
    theirs = {
        detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1.url,
        detection.FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1.url,
        detection.FasterRCNN_MobileNet_V3_Large_FPN_Weights.COCO_V1.url,
        detection.FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.COCO_V1.url,
        detection.SSDLite320_MobileNet_V3_Large_Weights.COCO_V1.url,
        models.ResNet50_Weights.IMAGENET1K_V1.url,
        models.MobileNet_V3_Large_Weights.IMAGENET1K_V1.url,
    }
    assert known == theirs


def test_weights_of_coco_are_taken_but_for_the_classes(tmp_path):
    torch.manual_seed(3)
    coco = detection.ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=91
    )
    file = tmp_path / "coco.pth"
    torch.save(coco.state_dict(), file)
    state, given = SSDLite(weights=str(file)).network.state_dict(), coco.state_dict()
    fresh = [name for name in state if not torch.equal(state[name], given[name])]
    assert fresh
    assert all("classification_head" in name for name in fresh)
    assert all(state[name].shape != given[name].shape for name in fresh)


@pytest.mark.parametrize(
    ("build", "into"),
    [
        (lambda path: FasterRCNN(MOBILE, weights=path), "backbone.body.0.0."),
        (lambda path: SSDLite(reduced_tail=False, weights=path), "backbone.features.0.0.0."),
    ],
)
def test_weights_of_imagenet_are_those_of_the_backbone(build, into, monkeypatch):
    from torchvision.models import mobilenet_v3_large

    torch.manual_seed(4)
    state = mobilenet_v3_large().state_dict()
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda url, **options: state)
    network = build("imagenet").network
    wanted = state["features.0.0.weight"]
    assert torch.equal(network.state_dict()[f"{into}weight"], wanted)


def test_without_a_network_it_says_how_to_go_on(monkeypatch):
    def fails(url, **options):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fails)
    with pytest.raises(CheckpointError, match=r"Without a network: .* None to start"):
        SSDLite(weights="coco")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: SSDLite(size=(16, 320)), "32 pixels or more"),
        (lambda: SSDLite(box_sizes=(0.5, 0.2)), "two rising shares"),
        (lambda: SSDLite(width=0.3), "width must be one of"),
        (lambda: SSDLite(norm="layer"), "'batch' or 'group'"),
        (lambda: SSDLite(norm="group", norm_eval=True), "no statistics"),
        (lambda: SSDLite(weights="imagenet"), "set reduced_tail=False"),
        (lambda: FasterRCNN("vgg"), "backbone must be one of"),
        (lambda: FasterRCNN(MOBILE, size=(800, 320)), "shorter and the long"),
        (lambda: FasterRCNN(MOBILE, anchors=()), "anchors must be sides"),
        (lambda: FasterRCNN(MOBILE, stride=2), r"stride must be one of \[4, 8, 16, 32\]"),
        (lambda: FasterRCNN(MOBILE, width=0.3), "width must be one of"),
        (lambda: FasterRCNN(MOBILE, regions=0), "give 1 or more"),
        (lambda: FasterRCNN(MOBILE, norm="group", frozen_norms=True), "no statistics"),
        (lambda: FasterRCNN(width=0.5), "for MobileNetV3 alone"),
        (lambda: FasterRCNN(stride=8), "for MobileNetV3 alone"),
        (lambda: FasterRCNN(anchors=(32, 64)), "one for each of 5 levels"),
    ],
)
def test_wrong_arguments_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        wrong()


def test_boxes_to_learn_are_cut_at_the_border_and_those_that_cannot_be_seen_left_out():
    instances = labelled((-5, 2, 10, 8), (90, 30, 20, 50), (3, 3, 0, 9), (200, 5, 9, 9))
    found = SSDLite(**SMALL).targets(instances, (64, 96))
    assert found.valid.tolist() == [[True, True, False, False]]
    wanted = [[-0.5, 2, 5.5, 8], [90, 30, 5.5, 33.5], [0] * 4, [0] * 4]
    assert torch.allclose(found.boxes[0], torch.tensor(wanted))


def test_fixed_statistics_stay_as_they_are():
    detector = FasterRCNN(MOBILE, size=(64, 96), norm_eval=True).train()
    before = {k: v.clone() for k, v in detector.state_dict().items() if "running" in k}
    detector.loss(torch.randn(1, 3, 64, 96), labelled((10.0, 10.0, 40.0, 30.0)))
    assert before
    assert all(torch.equal(detector.state_dict()[name], value) for name, value in before.items())


def test_frozen_norms_learn_nothing_at_all():
    with torch.device("meta"):
        detector = FasterRCNN(MOBILE, frozen_norms=True).train()
    norms = [m for m in detector.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(m.training or m.weight.requires_grad or m.bias.requires_grad for m in norms)
    assert any(parameter.requires_grad for parameter in detector.parameters())


@pytest.mark.parametrize("backbone", ["resnet50_fpn", "resnet50_fpn_v2", MOBILE])
def test_group_normalisation_is_that_of_every_layer_but_of_the_proposals(backbone):
    with torch.device("meta"):
        network = FasterRCNN(backbone, norm="group").network
    kinds = {type(part).__name__ for part in network.modules() if "Norm2d" in type(part).__name__}
    assert not kinds
    for part in (network.backbone.body, network.backbone.fpn, network.roi_heads.box_head):
        assert any(isinstance(layer, torch.nn.GroupNorm) for layer in part.modules())


@pytest.mark.parametrize(("stride", "levels"), [(32, 3), (16, 3), (8, 4), (4, 5)])
def test_the_finest_level_has_the_stride_that_is_asked_for(stride, levels):
    detector = FasterRCNN(**{**GROUPS, "stride": stride}, size="given").eval()
    with torch.no_grad():
        outputs = detector(torch.zeros(1, 3, 64, 96))
    assert outputs["objectness_0"].shape == (1, 3, 64 // stride, 96 // stride)
    assert len(outputs) == 2 * levels


def test_images_of_a_given_size_are_padded_alone():
    detector = FasterRCNN(**GROUPS, size="given")
    images = torch.randn(1, 3, 50, 70)
    seen, _ = detector.network.transform(list(images))
    assert seen.tensors.shape == (1, 3, 64, 96)
    assert torch.equal(seen.tensors[:, :, :50, :70], images)


def test_losses_and_boxes_each_have_a_mode_of_their_own():
    detector = SSDLite(**SMALL).train()
    images = torch.randn(1, 3, 64, 96)
    with pytest.raises(ValueError, match=r"call eval\(\)"):
        detector.predict(images)
    with pytest.raises(ValueError, match=r"call train\(\)"):
        detector.eval().loss(images, labelled((10.0, 10.0, 40.0, 30.0)))


def test_boxes_can_be_measured_from_the_centre_of_the_first_pixel():
    edge = SSDLite(**SMALL).eval()
    centre = SSDLite(**SMALL, origin="centre").eval()
    centre.load_state_dict(edge.state_dict())
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    ours, theirs = (detector.predict(images).boxes for detector in (edge, centre))
    assert torch.allclose(theirs[..., :2] - ours[..., :2], torch.tensor(0.5), atol=1e-5)
    assert torch.allclose(theirs[..., 2:], ours[..., 2:])
    with pytest.raises(ValueError, match="origin must be 'edge' or 'centre'"):
        SSDLite(**SMALL, origin="corner")
