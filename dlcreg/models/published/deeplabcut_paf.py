"""DeepLabCut's models of its PyTorch engine for several animals, with part affinity fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.models.published.deeplabcut import HEAD, backbones, published
from dlcreg.models.published.entry import Published

_GUESSES = {
    "convt1.": "first.heatmap.",
    "convt2.": "first.locref.",
    "convt3.": "first.paf.",
    "convt4.": "features.",
}
_STAGES = 5

FUSION = ("fuse2.0", "fuse2.1", "fuse1.0", "fuse1.1", "fuse1.2")
"""Our names of the five convolutions of DLCRNet's fusion in DeepLabCut's order."""

LOSSES = {
    "heatmap": {"type": "BCELoss"},
    "locref": {"type": "HuberLoss", "weight": 0.05},
    "paf": {"type": "HuberLoss", "weight": 0.1},
}

CODEC = {
    "type": "PartAffinityFields",
    "overlap": "last",
    "unlabelled": "background",
    "apart": 0.0,
    "affinity": "deeplabcut",
    "suppression": "boxes",
}
"""What both engines have in common."""

OF_KEYPOINTS = ("head.first.", "head.stages.", "head.final.")
"""Layers of the head whose shape depends on the keypoints."""

COUNTED_BY = "head.first.heatmap.bias"

_COMPLETE = 14
"""Keypoints up to which the graph is complete."""


def untold_graph(num_keypoints: int) -> str:
    """Return what a snapshot of so many keypoints does not say of its part affinity fields."""
    if num_keypoints <= _COMPLETE:
        return ""
    return (
        f"of {num_keypoints} keypoints DeepLabCut draws some limbs at random, which the weights do "
        "not tell. Give them, for instance from paf_graph in the project's pytorch_config.yaml: "
        "codec=dict(type='PartAffinityFields', graph=[(0, 1), ...])."
    )


def _head_prefixes() -> dict[str, str]:
    prefixes = {f"{HEAD}{old}": f"head.{new}" for old, new in _GUESSES.items()}
    for stage in range(_STAGES):
        prefixes[f"{HEAD}hm_ref_layers.{stage}."] = f"head.stages.{stage}.heatmap."
        prefixes[f"{HEAD}paf_ref_layers.{stage}."] = f"head.stages.{stage}.paf."
    for name in ("heatmap", "locref", "paf"):
        prefixes[f"{HEAD}{name}_head.deconv_layers."] = f"head.final.{name}."
    return prefixes


def _several(
    backbone: Mapping[str, Any], prefixes: Mapping[str, str], num_deconvs: int = 1
) -> Published:
    """Whole images of several animals: maps that are refined in stages."""
    head = {
        "type": "DLCRNetHead",
        "engine": "pytorch",
        "num_stages": _STAGES,
        "num_deconvs": num_deconvs,
        "codec": {**CODEC, "score": "blurred"},
        "losses": LOSSES,
    }
    return published(
        backbone,
        head,
        448,
        prefixes={**_head_prefixes(), **prefixes},
        counted_by=COUNTED_BY,
        of_keypoints=OF_KEYPOINTS,
        wired={"num_individuals": 3},
        untold=untold_graph,
    )


def _dlcrnet(output_stride: int) -> Published:
    backbone = {
        "type": "DLCRNet",
        "depth": 50,
        "output_stride": output_stride,
        "engine": "pytorch",
        "detach_banks": True,
        "frozen_norms": True,
    }
    prefixes = {"backbone.model.": "backbone.resnet."}
    for number, ours in enumerate(FUSION, 1):
        prefixes[f"backbone.conv_block{number}.0."] = f"backbone.{ours}.conv."
        prefixes[f"backbone.conv_block{number}.1."] = f"backbone.{ours}.norm."
    return _several(backbone, prefixes, num_deconvs=output_stride // 16)


MODELS = {
    **{
        f"dlc_{name}_bu_multi_paf": _several(backbone, {"backbone.model.": "backbone."})
        for name, (backbone, _) in backbones().items()
    },
    **{f"dlc_dlcrnet_stride{stride}_ms5": _dlcrnet(stride) for stride in (16, 32)},
}
"""By name."""
