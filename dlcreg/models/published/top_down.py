"""HRNet (Sun et al., 2019) and SimpleBaseline (Xiao et al., 2018) for persons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.models.published.entry import Published

_FINAL = {"": "backbone.", "final_layer.": "head.final_layer."}
_DECONVOLUTIONS = {"deconv_layers.": "head.deconv_layers."}


def _model(backbone: Mapping[str, Any], size: tuple[int, int], **head: Any) -> dict[str, Any]:
    """Return the config of a model with the heatmaps that both share."""
    return {
        "type": "PoseModel",
        "backbone": dict(backbone),
        "neck": {"type": "IdentityNeck"},
        "head": {
            "type": "HeatmapHead",
            "codec": {"type": "MSRAHeatmap", "sigma": 3.0 if size[0] == 384 else 2.0},
            "losses": {"heatmap": {"type": "MSELoss", "weight": 0.5, "reduction": "mean"}},
            **head,
        },
    }


def _hrnet(width: int, size: tuple[int, int]) -> Published:
    return Published(size, _model({"type": "HRNet", "width": width}, size), _FINAL)


def _simple_baseline(depth: int, size: tuple[int, int]) -> Published:
    model = _model({"type": "ResNet", "depth": depth}, size, deconv_channels=(256, 256, 256))
    return Published(size, {**model, "channel_order": "BGR"}, {**_FINAL, **_DECONVOLUTIONS})


MODELS = {
    **{
        f"hrnet_w{width}_{height}x{across}": _hrnet(width, (height, across))
        for width in (18, 32, 48)
        for height, across in ((256, 192), (256, 256), (384, 288))
    },
    **{
        f"simplebaseline_r{depth}_{height}x{across}": _simple_baseline(depth, (height, across))
        for depth in (50, 101, 152)
        for height, across in ((256, 192), (384, 288))
    },
}
"""By name."""
