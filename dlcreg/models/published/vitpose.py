"""ViTPose (Xu et al., 2022) for persons."""

from __future__ import annotations

from typing import Any, Literal

from dlcreg.models.backbones.vit import vit_names
from dlcreg.models.published.entry import Published

Arch = Literal["small", "base", "large", "huge"]

_SIZE = (256, 192)
_PREFIXES = {"backbone.": "backbone.", "keypoint_head.": "head."}
_CLASSIC = {"deconv_channels": (256, 256)}
_SIMPLE = {"upsample": 4, "final_kernel": 3}


def _vitpose(arch: Arch, head: dict[str, Any]) -> Published:
    model = {
        "type": "PoseModel",
        "backbone": {"type": "ViT", "arch": arch},
        "head": {
            "type": "HeatmapHead",
            **head,
            "codec": {"type": "UDPHeatmap", "sigma": 2.0},
            "losses": {"heatmap": {"type": "MSELoss", "weight": 0.5, "reduction": "mean"}},
        },
    }
    return Published(_SIZE, model, _PREFIXES, vit_names)


MODELS = {
    "vitpose_small_256x192": _vitpose("small", _CLASSIC),
    "vitpose_base_256x192": _vitpose("base", _CLASSIC),
    "vitpose_large_256x192": _vitpose("large", _CLASSIC),
    "vitpose_huge_256x192": _vitpose("huge", _CLASSIC),
    # The original's config of this one has the classic head, too.
    "vitpose_small_simple_256x192": _vitpose("small", _CLASSIC),
    "vitpose_base_simple_256x192": _vitpose("base", _SIMPLE),
    "vitpose_large_simple_256x192": _vitpose("large", _SIMPLE),
    "vitpose_huge_simple_256x192": _vitpose("huge", _SIMPLE),
}
"""By name."""
