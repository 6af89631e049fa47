"""DeepLabCut's ResNets and HRNets of its PyTorch engine, for one animal in an image or a crop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.models.published.entry import Published

KEYPOINTS = 12
"""Of the models as they are counted here; a snapshot says its own number."""

HEAD = "heads.bodypart."
"""Original prefix of the head."""

_LOCREF_STD = 7.2801
_RADIUS = 17  # pixels


def backbones() -> dict[str, tuple[dict[str, Any], int]]:
    """Return DeepLabCut's plain backbones and their strides, by name."""
    resnet = {"type": "ResNet", "output_stride": 16}
    found: dict[str, tuple[dict[str, Any], int]] = {
        "resnet_50": ({**resnet, "depth": 50, "norm": "group"}, 16),
        "resnet_101": ({**resnet, "depth": 101}, 16),
    }
    for width in (18, 32, 48):
        hrnet = {"type": "HRNet", "width": width, "norm_eval": True, "full_fusion": True}
        found[f"hrnet_w{width}"] = (hrnet, 4)
    return found


def published(
    backbone: Mapping[str, Any], head: Mapping[str, Any], size: int | tuple[int, int], **more: Any
) -> Published:
    """Return a model of DeepLabCut's; `more` is what `Published` takes."""
    model = {"type": "PoseModel", "backbone": dict(backbone), "head": dict(head)}
    size = (size, size) if isinstance(size, int) else size
    return Published(size, model, **{"num_keypoints": KEYPOINTS, "flip_pairs": (), **more})


def _gaussian(stride: int, unlabelled: str) -> dict[str, Any]:
    """Return codec and losses."""
    codec = {
        "type": "GaussianHeatmap",
        "sigma": 2 * _RADIUS / 3 / stride,  # 11.3 pixels, in cells
        "locref_std": _LOCREF_STD,
        "locref_radius": _RADIUS,
        "anchor": "deeplabcut",
        "unlabelled": unlabelled,
    }
    losses = {"heatmap": {"type": "MSELoss"}, "locref": {"type": "HuberLoss", "weight": 0.05}}
    return {"codec": codec, "losses": losses}


def _single(backbone: Mapping[str, Any], stride: int) -> Published:
    """Whole images: a transposed convolution for each output."""
    head = {"type": "DeconvHead", "keep_edges": True, **_gaussian(stride // 2, "background")}
    prefixes = {
        f"{HEAD}{name}_head.deconv_layers.": f"head.deconv_layers.{name}."
        for name in ("heatmap", "locref")
    }
    return published(
        backbone,
        head,
        448,
        prefixes={"backbone.model.": "backbone.", **prefixes},
        counted_by="head.deconv_layers.heatmap.0.bias",
        of_keypoints=("head.deconv_layers.",),
    )


def top_down(
    backbone: Mapping[str, Any],
    stride: int,
    size: int | tuple[int, int] = 256,
    *,
    prefixes: Mapping[str, str],
    of_keypoints: tuple[str, ...] = (),
    **more: Any,
) -> Published:
    """Return a model of crops: a 1x1 convolution for each output.

    Args:
        backbone: its config.
        stride: of its map.
        size: height and width of a crop, or both.
        prefixes: of the backbone.
        of_keypoints: layers of the backbone whose shape depends on the keypoints.
        **more: what `Published` takes.
    """
    return published(
        backbone,
        {"type": "HeatmapHead", **_gaussian(stride, "ignore")},
        size,
        prefixes={
            f"{HEAD}heatmap_head.final_conv.": "head.final_layer.",
            f"{HEAD}locref_head.final_conv.": "head.further_layers.locref.",
            **prefixes,
        },
        of_keypoints=("head.final_layer.", "head.further_layers.", *of_keypoints),
        **more,
    )


MODELS = {
    **{f"dlc_{name}_bu_single": _single(*backbone) for name, backbone in backbones().items()},
    **{
        f"dlc_{name}_td": top_down(*backbone, prefixes={"backbone.model.": "backbone."})
        for name, backbone in backbones().items()
    },
}
"""By name."""
