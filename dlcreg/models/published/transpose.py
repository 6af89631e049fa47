"""TransPose (Yang et al., 2021) for persons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.models.published.entry import Published
from dlcreg.models.published.positions import without_positions

_SIZE = (256, 192)
_PREFIXES = {
    "": "backbone.",
    "reduce.": "neck.reduce.",
    "global_encoder.layers.": "neck.layers.",
    "deconv_layers.": "head.deconv_layers.",
    "final_layer.": "head.final_layer.",
}


def _transpose(
    backbone: Mapping[str, Any], neck: Mapping[str, Any], deconv_channels: tuple[int, ...] = ()
) -> Published:
    model = {
        "type": "PoseModel",
        "backbone": dict(backbone),
        "neck": {"type": "TransformerNeck", **neck},
        "head": {
            "type": "HeatmapHead",
            "deconv_channels": deconv_channels,
            "codec": {"type": "DarkHeatmap", "sigma": 2.0, "square_cells": True},
            "losses": {"heatmap": {"type": "MSELoss", "weight": 0.5, "reduction": "mean"}},
        },
    }
    return Published(_SIZE, model, _PREFIXES, without_positions)


def _r(num_layers: int) -> Published:
    """On the first half of a ResNet-50."""
    backbone = {"type": "ResNet", "depth": 50, "out_indices": (1,)}
    return _transpose(backbone, {"num_layers": num_layers}, (256,))


def _h(width: int, channels: int, num_layers: int) -> Published:
    """On three stages of an HRNet."""
    neck = {
        "channels": channels,
        "num_layers": num_layers,
        "num_heads": 1,
        "hidden_channels": 2 * channels,
    }
    return _transpose({"type": "HRNet", "width": width, "stages": 3}, neck)


MODELS = {
    "transpose_r_a3_256x192": _r(3),
    "transpose_r_a4_256x192": _r(4),
    "transpose_h_s_256x192": _h(32, 64, 4),
    "transpose_h_a4_256x192": _h(48, 96, 4),
    "transpose_h_a5_256x192": _h(48, 96, 5),
    "transpose_h_a6_256x192": _h(48, 96, 6),
}
"""By name."""
