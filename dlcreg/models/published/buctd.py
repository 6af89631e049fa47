"""BUCTD (Zhou et al., 2023): a pose that is known already, looked at once more, for persons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.models.published.dekr import CROWDPOSE_PAIRS
from dlcreg.models.published.entry import COCO_PAIRS, Published, State
from dlcreg.models.published.positions import without_positions

_SIZE = (384, 288)
_DRAWN: dict[str, Any] = {"peak": 255.0, "placement": "buctd", "blur": "cv2"}
COLORED = {"type": "ColoredKeypoints", "scale": "image", "colors": "buctd", **_DRAWN}
STACKED = {"type": "StackedKeypoints", "swap_channels": False, **_DRAWN}

_ATTENTION = {
    "att_layers.": "",
    "position_attention_module.cnn.": "position.features.",
    "position_attention_module.cnn_cond.": "position.condition.",
    "position_attention_module.pa.fc_q.": "position.query.",
    "position_attention_module.pa.fc_k.": "position.key.",
    "position_attention_module.pa.fc_v.": "position.value.",
    "position_attention_module.pa.fc_o.": "position.out.",
    "channel_attention_module.cnn.": "channel.features.",
    "channel_attention_module.cnn_cond.": "channel.condition.",
    "channel_attention_module.pa.fc_o.": "channel.out.",
}
_POSITIONS = range(4)
_FINAL = {"final_layer.": "head.final_layer."}

OF_CONDITION = tuple(
    f"backbone.attention.{position}.{branch}.{layer}."
    for position in _POSITIONS
    for branch in _POSITIONS
    for layer in ("position.condition", "position.query", "channel.condition")
)
"""Layers of the attention whose shape depends on the channels of the condition."""


def our_attention(state: State) -> State:
    """Return tensors with our names of the layers of attention blocks."""
    renamed = {}
    for name, tensor in state.items():
        for theirs, ours in _ATTENTION.items():
            name = name.replace(theirs, ours)
        renamed[name] = tensor
    return renamed


def _published(backbone: Mapping[str, Any], prefixes: Mapping[str, str], **more: Any) -> Published:
    model = {
        "type": "PoseModel",
        "backbone": dict(backbone),
        "neck": {"type": "IdentityNeck"},
        "head": {
            "type": "HeatmapHead",
            "codec": {"type": "MSRAHeatmap", "sigma": 3.0},
            "losses": {"heatmap": {"type": "MSELoss", "weight": 0.5, "reduction": "mean"}},
        },
        **more.pop("model", {}),
    }
    return Published(_SIZE, model, {**prefixes, **_FINAL}, **more)


def _prenet(width: int) -> Published:
    backbone = {"type": "PreNet", "backbone": {"type": "HRNet", "width": width}, "encoder": COLORED}
    prefixes = {
        "": "backbone.backbone.",
        "rgb_preNet.": "backbone.image.",
        "cond_preNet.": "backbone.condition.",
    }
    return _published(backbone, prefixes)


def _coam(width: int, encoder: Mapping[str, Any], count: int = 17, **options: Any) -> Published:
    backbone = {
        "type": "CoAM",
        "backbone": {"type": "HRNet", "width": width},
        "encoder": dict(encoder),
        "antialias": False,
        **options,
    }
    prefixes = {f"stage{i + 1}_att.": f"backbone.attention.{i}." for i in _POSITIONS}
    return _published(
        backbone,
        {"": "backbone.backbone.", **prefixes},
        convert=our_attention,
        of_keypoints=("head.final_layer.", *(OF_CONDITION if encoder is STACKED else ())),
        num_keypoints=count,
        flip_pairs=COCO_PAIRS if count == 17 else CROWDPOSE_PAIRS,
    )


def _transpose() -> Published:
    """TransPose-H-A6 whose tokens have 16 channels more, of the condition."""
    backbone = {
        "type": "ConcatCondition",
        "backbone": {"type": "HRNet", "width": 48, "stages": 3},
        "encoder": COLORED,
        "channels": 96,
        "antialias": False,
    }
    neck = {
        "type": "TransformerNeck",
        "channels": None,
        "num_layers": 6,
        "num_heads": 1,
        "hidden_channels": 192,
    }
    prefixes = {
        "": "backbone.backbone.",
        "reduce.": "backbone.reduce.0.",
        "trans_cond.": "backbone.condition.0.",
        "global_encoder.layers.": "neck.layers.",
    }
    return _published(backbone, prefixes, convert=without_positions, model={"neck": neck})


MODELS = {
    "buctd_prenet_w32_coco_colored_384x288": _prenet(32),
    "buctd_prenet_w48_coco_colored_384x288": _prenet(48),
    # where its configuration says neither stacked nor coloured, the first channel alone is seen
    "buctd_coam_w32_coco_colored_384x288": _coam(32, COLORED, first_channel=True),
    "buctd_coam_w32_coco_stacked_384x288": _coam(32, STACKED),
    "buctd_coam_w48_coco_colored_384x288": _coam(48, COLORED),
    "buctd_coam_w48_coco_stacked_384x288": _coam(48, STACKED),
    "buctd_coam_w48_crowdpose_stacked_384x288": _coam(48, STACKED, 14),
    "buctd_coam_w48_allstages_colored_384x288": _coam(48, COLORED, positions=(1, 2, 3)),
    "buctd_coam_w48_channelonly_colored_384x288": _coam(48, COLORED, channel_only=True),
    "buctd_transpose_h_w48_coco_colored_384x288": _transpose(),
}
"""By name."""
