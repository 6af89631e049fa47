"""TransPose (Yang et al., 2021) for persons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from dlcreg.errors import CheckpointError
from dlcreg.models.layers.sine_position import sine_positions
from dlcreg.models.published.entry import Published, State

_SIZE = (256, 192)
_TABLE = "pos_embedding"
_PREFIXES = {
    "": "backbone.",
    "reduce.": "neck.reduce.",
    "global_encoder.layers.": "neck.layers.",
    "deconv_layers.": "head.deconv_layers.",
    "final_layer.": "head.final_layer.",
}


def _without_positions(state: State) -> State:
    """Leave out the positions, which follow from the size of a map, once they are seen to do so."""
    table = state.get(_TABLE)
    if table is not None:
        tokens, channels = table.shape[0], table.shape[-1]
        known = (
            sine_positions(height, tokens // height, channels)
            for height in range(1, tokens + 1)
            if tokens % height == 0
        )
        if not any(torch.allclose(table.view(code.shape), code, atol=1e-4) for code in known):
            raise CheckpointError(
                f"the checkpoint's {_TABLE} holds positions that were learnt. The published models "
                "have fixed sines, and so has dlcreg."
            )
    return {name: value for name, value in state.items() if name != _TABLE}


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
            "codec": {"type": "DarkHeatmap", "sigma": 2.0},
            "losses": {"heatmap": {"type": "MSELoss", "weight": 0.5, "reduction": "mean"}},
        },
    }
    return Published(_SIZE, model, _PREFIXES, _without_positions)


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
