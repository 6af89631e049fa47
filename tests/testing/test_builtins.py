"""Every built-in part passes the conformance kit, as a plug-in would."""

from __future__ import annotations

import json

import pytest

from dlcreg.data import Project
from dlcreg.data.demo import generate
from dlcreg.plugins import providers
from dlcreg.registry import REGISTRIES
from dlcreg.testing import check_component, parametrize_with_checks

GAUSSIAN = dict(type="GaussianHeatmap", locref_std=7.2801)
PLATEAU = dict(type="PlateauHeatmap", radius=8.0)
SCORES = dict(heatmap=dict(type="BCELoss"), locref=dict(type="HuberLoss", weight=0.1))
LIMBS = dict(SCORES, paf=dict(type="HuberLoss", weight=0.1))
FIELDS = dict(type="PartAffinityFields", radius=8.0, width=10.0)
PAIRS = dict(min_links=1)  # an animal with two labelled keypoints has one link
SIMCC = dict(
    codec=dict(type="SimCC"),
    losses=dict(x=dict(type="KLDiscreteLoss"), y=dict(type="KLDiscreteLoss")),
    hidden=32,
    key_width=16,
)
WHO = dict(type="IdentityMaps", radius=6.0)
UNIQUE = dict(
    type="HeatmapHead",
    codec=GAUSSIAN,
    losses=dict(heatmap=dict(type="MSELoss"), locref=dict(type="MSELoss")),
)
AFFINE = dict(rotation=30, scale=(0.8, 1.3), translate=0.1, shear=5)
HALVES = dict(upper=["nose", 1], lower=["tail"], p=1, min_keypoints=1, min_upper=1)
CENTRES = dict(
    codec=dict(type="DEKROffsets"),
    losses=dict(heatmap=dict(type="MSELoss"), offset=dict(type="HuberLoss", weight=0.03, delta=1)),
    heatmap_channels=16,
    offset_channels=8,
)
DEEPLABCUT = dict(anchor="deeplabcut", read="cell", scores="centre", overlap="smallest")
ALBUMENTATIONS = [
    dict(type="HorizontalFlip"),
    dict(type="Affine", rotate=(-20, 20)),
    dict(type="RandomBrightnessContrast"),
]
TORCHVISION = [
    dict(type="RandomHorizontalFlip"),
    dict(type="RandomRotation", degrees=20),
    dict(type="ColorJitter", brightness=0.3),
]
STAGES = dict(doubled=False, num_stages=2, feature_channels=8)
PYTORCH = dict(engine="pytorch", num_stages=1, num_deconvs=1, feature_channels=8)
ONE_MAP = dict(context=dict(in_channels=(8,), in_strides=(8,)))
MODEL = dict(
    backbone=dict(type="ResNet", depth=18),
    head=dict(
        type="HeatmapHead",
        codec=dict(GAUSSIAN, locref_std=None),
        losses=dict(heatmap=dict(type="MSELoss")),
    ),
)

BRANCHES = dict(type="HRNet", width=4, stages=2)
CONDITIONED = dict(backbone=BRANCHES, encoder=dict(type="StackedKeypoints"))
SMALL = dict(type="CSPNeXt", deepen_factor=0.1, widen_factor=0.125)
SMALL_SSD = dict(type="SSDLite", size=(64, 96), box_sizes=(0.3, 0.9), width=0.25, norm="group")
SMALL_RCNN = dict(
    backbone="mobilenet_v3_large_320_fpn",
    size="given",
    anchors=[24],
    stride=4,
    width=0.25,
    regions=32,
    norm="group",
)

TOKENS = dict(patch_size=(2, 3), dim=16, depth=(1, 1), num_heads=2, map_width=None)

PARTS = [
    ("backbones", "ResNet", dict(arguments=dict(depth=18, out_indices=(0, 1, 2, 3)))),
    ("backbones", "ResNet", dict(arguments=dict(depth=18, strided_block="last"))),
    ("backbones", "HRNet", dict(arguments=dict(width=4, stages=3))),
    ("backbones", "CSPNeXt", dict(arguments=dict(deepen_factor=0.1, widen_factor=0.125))),
    (
        "backbones",
        "CSPNeXt",
        dict(arguments=dict(deepen_factor=0.34, widen_factor=0.07, out_indices=(1, 2))),
    ),
    ("backbones", "IdentityBackbone"),
    ("backbones", "DLCRNet", dict(arguments=dict(depth=18, upsampled_channels=16))),
    ("backbones", "DLCRNet", dict(arguments=dict(depth=18, engine="pytorch"))),
    ("backbones", "ViT", dict(arguments=dict(dim=16, depth=2, num_heads=2, drop_path=0.2))),
    ("backbones", "PreNet", dict(arguments=dict(CONDITIONED, backbone=SMALL, channels=4))),
    ("backbones", "CoAM", dict(arguments=dict(CONDITIONED, positions=(0, 1)))),
    ("backbones", "CoAM", dict(arguments=dict(CONDITIONED, positions=(0,), channel_only=True))),
    ("backbones", "ConcatCondition", dict(arguments=dict(CONDITIONED, backbone=SMALL, channels=8))),
    ("condition_encoders", "StackedKeypoints"),
    ("condition_encoders", "ColoredKeypoints"),
    ("condition_encoders", "GreyKeypoints"),
    ("necks", "FPN", dict(arguments=dict(channels=8))),
    ("necks", "IdentityNeck"),
    ("necks", "UpsampleConcat"),
    ("heads", "DEKRHead", dict(arguments=CENTRES, context=dict(num_individuals=2), steps=80)),
    ("necks", "TransformerNeck", dict(arguments=dict(channels=16, hidden_channels=32), **ONE_MAP)),
    ("heads", "HeatmapHead"),
    ("heads", "HeatmapHead", dict(arguments=dict(upsample=2, final_kernel=3))),
    ("heads", "HeatmapHead", dict(arguments=dict(deconv_channels=(16,), codec=GAUSSIAN))),
    ("heads", "HeatmapHead", dict(arguments=dict(codec=PLATEAU, losses=SCORES))),
    ("heads", "HeatmapHead", dict(arguments=dict(codec=FIELDS, losses=LIMBS))),
    ("heads", "RTMCCHead", dict(arguments=SIMCC)),
    ("heads", "TokenPoseHead", dict(arguments=TOKENS)),
    ("heads", "TokenPoseHead", dict(arguments=dict(TOKENS, map_width=32, codec=GAUSSIAN))),
    (
        "heads",
        "HeatmapHead",
        dict(arguments=dict(codec=WHO, losses=dict(identity=SCORES["heatmap"]))),
    ),
    ("heads", "UniqueKeypointsHead", dict(arguments=dict(head=UNIQUE))),
    ("heads", "DeconvHead", dict(arguments=dict(codec=PLATEAU, losses=SCORES, keep_edges=True))),
    ("heads", "DLCRNetHead", dict(arguments=dict(codec=FIELDS, losses=LIMBS, **STAGES), steps=150)),
    ("heads", "DLCRNetHead", dict(arguments=dict(codec=PLATEAU, losses=SCORES, **PYTORCH))),
    ("codecs", "GaussianHeatmap"),
    ("codecs", "GaussianHeatmap", dict(arguments=dict(locref_std=7.2801, anchor="deeplabcut"))),
    ("codecs", "PlateauHeatmap"),
    ("codecs", "IdentityMaps", dict(arguments=dict(radius=6.0))),
    ("codecs", "PartAffinityFields", dict(context=dict(num_individuals=2), arguments=PAIRS)),
    ("codecs", "PartAffinityFields", dict(arguments=dict(graph="skeleton", anchor="centre"))),
    ("codecs", "SimCC"),
    ("codecs", "DEKROffsets", dict(context=dict(num_individuals=2))),
    ("codecs", "DEKROffsets", dict(arguments=DEEPLABCUT, context=dict(num_individuals=2))),
    ("codecs", "DarkHeatmap"),
    ("codecs", "DarkHeatmap", dict(arguments=dict(square_cells=True))),
    # HRNet and SimpleBaseline read a keypoint to the nearest cell of 4 px along x and y
    ("codecs", "MSRAHeatmap", dict(tolerance=3.0)),
    ("codecs", "UDPHeatmap"),
    ("transforms", "Affine", dict(arguments=AFFINE)),
    ("transforms", "ConditionBox"),
    ("transforms", "Crop", dict(arguments=dict(size=(80, 96), position="keypoint"))),
    ("transforms", "Crop", dict(arguments=dict(size=(140, 100)))),
    ("transforms", "CropInstance", dict(arguments=dict(size=(96, 80)))),
    ("transforms", "CropInstance", dict(arguments=dict(size=(96, 80), align="udp"))),
    ("transforms", "CropInstance", dict(arguments=dict(size=(96, 80), align="corners"))),
    # where it resizes much, keypoints are beside what they mark by what it is for
    ("transforms", "DeepLabCutCrop", dict(arguments=dict(size=(142, 118), margin=12))),
    ("transforms", "DeepLabCutResize", dict(arguments=dict(longest=150))),
    ("transforms", "DeepLabCutResize", dict(arguments=dict(size=(130, 170)))),
    ("transforms", "Flip"),
    ("transforms", "Flip", dict(arguments=dict(direction="vertical"))),
    ("transforms", "GenerativeCondition"),
    ("transforms", "HalfBody", dict(arguments=HALVES)),
    ("transforms", "JitterBox"),
    ("transforms", "KeypointBoxes"),
    ("transforms", "MaskOutsideBox"),
    ("transforms", "Pad", dict(arguments=dict(divisor=64, position="center"))),
    ("transforms", "Resize", dict(arguments=dict(scale=0.6))),
    ("transforms", "Resize", dict(arguments=dict(size=(200, 300)))),
    ("transforms", "Albumentations", dict(arguments=dict(transform=ALBUMENTATIONS))),
    ("transforms", "Torchvision", dict(arguments=dict(transform=TORCHVISION))),
    ("metrics", "AUC"),
    ("metrics", "BoxAP", dict(arguments=dict(margin=5))),
    ("metrics", "CocoOKS"),
    ("metrics", "IdentityAccuracy"),
    ("metrics", "PCK"),
    ("metrics", "PixelError"),
    ("metrics", "UniqueKeypoints", dict(arguments=dict(metric=dict(type="PixelError")))),
    ("metrics", "UniqueKeypoints", dict(arguments=dict(metric=dict(type="PCK")))),
    ("optimizers", "AdamW"),
    ("optimizers", "SGD", dict(arguments=dict(momentum=0.9))),
    ("hooks", "CalibrationHook"),
    ("hooks", "CheckpointHook"),
    ("hooks", "EMAHook"),
    ("hooks", "EarlyStoppingHook"),
    ("hooks", "LoggerHook"),
    ("hooks", "PipelineSwitchHook", dict(arguments=dict(switch_epoch=-30, transform=[]))),
    ("models", "PoseModel", dict(arguments=MODEL)),
    ("models", "DetectionModel", dict(arguments=dict(detector=SMALL_SSD))),
    ("detectors", "SSDLite", dict(arguments=SMALL_SSD, steps=25)),
    ("detectors", "FasterRCNN", dict(arguments=SMALL_RCNN, steps=60)),
    ("losses", "MSELoss"),
    ("losses", "BCELoss"),
    ("losses", "HuberLoss"),
    ("losses", "KLDiscreteLoss"),
    ("losses", "OHKMLoss"),
    ("losses", "SpatialCrossEntropyLoss"),
    ("readers", "OpenCVReader"),
    ("readers", "PyAVReader"),
    ("trackers", "SortBox"),
    ("trackers", "SortEllipse"),
    ("trackers", "SortPose"),
    ("trackers", "SortPose", dict(arguments=dict(margin=0.0, max_age=0))),
    ("writers", "AssembliesWriter"),
    ("writers", "CSVWriter"),
    ("writers", "CocoWriter"),
    ("writers", "FullWriter"),
    ("writers", "H5Writer"),
    ("writers", "MetaWriter"),
    ("writers", "NWBWriter"),
    ("writers", "ParquetWriter"),
    ("writers", "SLPWriter"),
]
EXPECTED = {
    "transforms/GenerativeCondition": {
        "companions_move_along": "another condition is what it is for"
    },
    "transforms/KeypointBoxes": {"boxes_move_along": "another box is what it is for"},
    "transforms/HalfBody": {"boxes_move_along": "another box is what it is for"},
    "transforms/JitterBox": {"boxes_move_along": "another box is what it is for"},
    "transforms/MaskOutsideBox": {"keypoints_move_along": "it hides what is outside the box"},
    "codecs/DarkHeatmap": {
        "round_trip_at_borders": "smoothing with zeros around the map bends the blob near a "
        "border, as in the original"
    },
    "codecs/UDPHeatmap": {
        "round_trip_at_borders": "smoothing with the map mirrored at its borders bends the blob "
        "near one, as in the original"
    },
    "codecs/MSRAHeatmap": {
        "round_trip_at_borders": "at the outermost cells the original moves no quarter of a cell"
    },
}


@parametrize_with_checks(PARTS, EXPECTED)
def test_a_built_in_part_keeps_its_contract(check):
    check()


def _failed(results) -> list[str]:
    return [str(result) for result in results if result.status == "failed"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("kit") / "project"
    return generate(
        root, frames=8, animals=2, size=(96, 128), video=False, corners=True, identity=True
    )


@pytest.mark.parametrize(
    "more", [{}, dict(view="instance", transform=[dict(type="CropInstance", size=(64, 64))])]
)
def test_a_project_keeps_the_contract_of_data_sets(project, more):
    assert not _failed(
        check_component("datasets", "PoseDataset", arguments=dict(project=str(project), **more))
    )


def test_a_coco_file_keeps_the_contract_of_data_sets(project, tmp_path):
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(Project(project).to_coco()))
    arguments = dict(
        annotation_file=str(file), image_root=str(project), individual_names=["animal1", "animal2"]
    )
    assert not _failed(check_component("datasets", "CocoDataset", arguments=arguments))


def test_no_built_in_part_is_left_out():
    tried = {(kind, name) for kind, name, *_ in PARTS}
    tried |= {("datasets", "PoseDataset"), ("datasets", "CocoDataset")}
    built_in = {
        (kind, p.name) for kind in REGISTRIES for p in providers(f"dlcreg.{kind}") if p.builtin
    }
    assert built_in <= tried
