"""Model folders as DeepLabCut 3 writes them, for tests without it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torchvision
import yaml
from torch import Tensor

PARTS = ("nose", "leftear", "rightear", "tail")
GAUSSIAN = {"type": "HeatmapGaussianGenerator", "pos_dist_thresh": 17, "heatmap_mode": "KEYPOINT"}
PLATEAU = {**GAUSSIAN, "type": "HeatmapPlateauGenerator"}
PEAK = {
    "type": "HeatmapPredictor",
    "apply_sigmoid": False,
    "clip_scores": True,
    "location_refinement": True,
    "locref_std": 7.2801,
}


def deconv(channels: int, parts: int, **more: Any) -> dict[str, Any]:
    """Return the head of whole images with one animal."""
    layer = {"kernel_size": [3], "strides": [2]}
    return {
        "type": "HeatmapHead",
        "weight_init": "normal",
        "predictor": dict(PEAK),
        "target_generator": dict(GAUSSIAN),
        "criterion": {
            "heatmap": {"type": "WeightedMSECriterion", "weight": 1.0},
            "locref": {"type": "WeightedHuberCriterion", "weight": 0.05},
        },
        "heatmap_config": {"channels": [channels, parts], **layer},
        "locref_config": {"channels": [channels, 2 * parts], **layer},
        **more,
    }


def flat(channels: int, parts: int) -> dict[str, Any]:
    """Return the head of crops."""

    def layer(count: int) -> dict[str, Any]:
        final = {"out_channels": count, "kernel_size": 1}
        return {"channels": [channels], "kernel_size": [], "strides": [], "final_conv": final}

    more = {"heatmap_config": layer(parts), "locref_config": layer(2 * parts)}
    generator = {**GAUSSIAN, "gradient_masking": True, "background_weight": 0.0}
    return deconv(channels, parts, target_generator=generator, **more)


def who(channels: int, animals: int) -> dict[str, Any]:
    """Return the head that tells who is who."""
    return {
        "type": "HeatmapHead",
        "predictor": {"type": "IdentityPredictor", "apply_sigmoid": True},
        "target_generator": {**PLATEAU, "heatmap_mode": "INDIVIDUAL"},
        "criterion": {"heatmap": {"type": "WeightedBCECriterion", "weight": 1.0}},
        "heatmap_config": {"channels": [channels, animals], "kernel_size": [3], "strides": [2]},
    }


def limbs(
    channels: int, parts: int, animals: int, kept: Sequence[int] | None = None, deconvs: int = 1
) -> dict[str, Any]:
    """Return the head of several animals."""
    graph = [[a, b] for a in range(parts) for b in range(a + 1, parts)]

    def layers(count: int) -> dict[str, Any]:
        between = [channels // 2] * (deconvs - 1)
        widths = [channels, *between, count]
        return {"channels": widths, "kernel_size": [3] * deconvs, "strides": [2] * deconvs}

    return {
        "type": "DLCRNetHead",
        "predictor": {
            "type": "PartAffinityFieldPredictor",
            "num_animals": animals,
            "num_multibodyparts": parts,
            "num_uniquebodyparts": 0,
            "nms_radius": 5,
            "sigma": 1.0,
            "locref_stdev": 7.2801,
            "min_affinity": 0.05,
            "graph": graph,
            "edges_to_keep": list(range(len(graph)) if kept is None else kept),
        },
        "target_generator": {
            "type": "SequentialGenerator",
            "generators": [
                dict(PLATEAU),
                {"type": "PartAffinityFieldGenerator", "graph": graph, "width": 20},
            ],
        },
        "criterion": {
            "heatmap": {"type": "WeightedBCECriterion", "weight": 1.0},
            "locref": {"type": "WeightedHuberCriterion", "weight": 0.05},
            "paf": {"type": "WeightedHuberCriterion", "weight": 0.1},
        },
        "heatmap_config": layers(parts),
        "locref_config": layers(2 * parts),
        "paf_config": layers(2 * len(graph)),
        "num_stages": 5,
    }


def bins(parts: int, side: int = 256) -> dict[str, Any]:
    """Return the head of RTMPose."""
    sigma = [5.66, 5.66]
    loss = {"type": "KLDiscreteLoss", "use_target_weight": True, "beta": 10.0}
    return {
        "type": "RTMCCHead",
        "weight_init": "RTMPose",
        "predictor": {"type": "SimCCPredictor", "simcc_split_ratio": 2.0, "sigma": sigma},
        "target_generator": {
            "type": "SimCCGenerator",
            "input_size": [side, side],
            "sigma": sigma,
            "normalize": False,
        },
        "criterion": {"x": loss, "y": dict(loss)},
        "input_size": [side, side],
        "in_channels": 512,
        "out_channels": parts,
        "in_featuremap_size": [side // 32, side // 32],
        "simcc_split_ratio": 2.0,
        "final_layer_kernel_size": 7,
        "gau_cfg": {"hidden_dims": 256, "s": 128, "expansion_factor": 2, "act_fn": "SiLU"},
    }


def resnet(name: str = "resnet18") -> dict[str, Any]:
    """Return a ResNet."""
    return {"type": "ResNet", "model_name": name, "output_stride": 16, "freeze_bn_stats": False}


def config(
    backbone: Mapping[str, Any] | None = None,
    heads: Mapping[str, Any] | None = None,
    *,
    parts: Sequence[str] = PARTS,
    individuals: Sequence[str] = ("individual_1",),
    crop: int | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Return a ``pytorch_config.yaml``.

    Args:
        backbone: ResNet-18 by default.
        heads: by name; that of one animal by default.
        parts: names of body parts.
        individuals: names of animals.
        crop: side of the crops of a top-down model; None for whole images.
        changes: values by keys of the first level.
    """
    inference: dict[str, Any] = {"normalize_images": True}
    train: dict[str, Any] = {"normalize_images": True, "motion_blur": True, "affine": None}
    if crop is None:
        train["crop_sampling"] = {"width": 64, "height": 64, "max_shift": 0.1, "method": "hybrid"}
    else:
        inference["top_down_crop"] = train["top_down_crop"] = {"width": crop, "height": crop}
    content = {
        "config_version": 0,
        "model": {
            "backbone": dict(backbone or resnet()),
            "backbone_output_channels": 512,
            "neck": None,
            "heads": dict(heads or {"bodypart": deconv(512, len(parts))}),
        },
        "net_type": "resnet_50",
        "method": "bu" if crop is None else "td",
        "device": "auto",
        "metadata": {
            "project_path": None,
            "pose_config_path": None,
            "bodyparts": list(parts),
            "unique_bodyparts": [],
            "individuals": list(individuals),
            "with_identity": False,
        },
        "data": {"bbox_margin": 20, "colormode": "RGB", "inference": inference, "train": train},
        "runner": {
            "type": "PoseTrainingRunner",
            "optimizer": {"type": "AdamW", "params": {"lr": 5e-4}},
            "scheduler": {
                "type": "LRListScheduler",
                "params": {"lr_list": [[1e-4], [1e-5]], "milestones": [90, 120]},
            },
            "snapshots": {"max_snapshots": 5, "save_epochs": 25, "save_optimizer_state": False},
        },
        "train_settings": {"batch_size": 8, "epochs": 200, "seed": 42},
        "inference": {"multithreading": {"enabled": True}, "conditions": None},
        **changes,
    }
    return copy.deepcopy(content)


def random_state(heads: Mapping[str, int] | None = None, parts: int = 4) -> dict[str, Tensor]:
    """Return the tensors of a ResNet-18 by DeepLabCut's names.

    Args:
        heads: further heads without location refinement, by name, and their maps.
        parts: body parts of the head of one animal.
    """
    body = torchvision.models.resnet18().state_dict().items()
    state = {f"backbone.model.{k}": v for k, v in body if not k.startswith("fc.")}
    maps = {"bodypart.heatmap_head": parts, "bodypart.locref_head": 2 * parts}
    maps |= {f"{name}.heatmap_head": count for name, count in (heads or {}).items()}
    for name, count in maps.items():
        layer = torch.nn.ConvTranspose2d(512, count, 3, stride=2)
        for key, value in layer.state_dict().items():
            state[f"heads.{name}.deconv_layers.0.{key}"] = value
    return state


def write(
    folder: Path, content: Mapping[str, Any], *snapshots: str, state: Mapping[str, Tensor]
) -> Path:
    """Write a model folder with snapshots of one state.

    Args:
        folder: the model folder.
        content: of pytorch_config.yaml.
        snapshots: names such as ``snapshot-best-090``.
        state: tensors.
    """
    train = folder / "train"
    train.mkdir(parents=True)
    (train / "pytorch_config.yaml").write_text(yaml.safe_dump(dict(content), sort_keys=False))
    for name in snapshots:
        epoch = int(name.rpartition("-")[2])
        metadata = {"epoch": epoch, "metrics": {"metrics/test.mAP": 71.5}, "losses": {}}
        saved = {"metadata": metadata, "model": dict(state), "scheduler": {}}
        torch.save(saved, train / f"{name}.pt")
    return folder
