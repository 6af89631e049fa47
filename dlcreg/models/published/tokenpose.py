"""TokenPose (Li et al., 2021) for persons, and DeepLabCut's AnimalTokenPose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dlcreg.models.published.entry import Published, State
from dlcreg.models.published.positions import without_positions

_LAYER = re.compile(r"transformer(\d*)\.layers\.(\d+)\.([01])\.fn\.(norm|fn)\.")
"""Two residual branches of a layer, each of a normalisation and what comes after it."""

_INNER = {
    "to_qkv": "attention.qkv",
    "to_out.0": "attention.out",
    "net.0": "mlp.0",
    "net.3": "mlp.2",
}


def _convert(state: State) -> State:
    """Name the layers as `dlcreg.models.layers.pre_norm.PreNormLayer` does."""
    found = {_renamed(name): tensor for name, tensor in without_positions(state).items()}
    for name, tensor in found.items():
        if name.endswith("keypoint_token") and tensor.dim() == 3:
            found[name] = tensor[0]  # of a batch of one
    return found


def _renamed(name: str) -> str:
    match = _LAYER.search(name)
    if match is None:
        return name
    number, layer, branch, kind = match.groups()
    rest = name[match.end() :]
    if kind == "norm":
        inner = f"norm{int(branch) + 1}.{rest}"
    else:
        original, _, parameter = rest.rpartition(".")
        inner = f"{_INNER.get(original, original)}.{parameter}"
    return f"{name[: match.start()]}transformers.{int(number or 1) - 1}.{layer}.{inner}"


def _tokenpose(
    size: tuple[int, int], backbone: Mapping[str, Any], prefixes: Mapping[str, str], **head: Any
) -> Published:
    model = {
        "type": "PoseModel",
        "backbone": dict(backbone),
        "head": {
            "type": "TokenPoseHead",
            "codec": {
                "type": "DarkHeatmap",
                "sigma": 3.0 if size[0] == 384 else 2.0,
                "square_cells": True,
            },
            "losses": {"heatmap": {"type": "MSELoss", "weight": 0.5, "reduction": "mean"}},
            **head,
        },
    }
    return Published(size, model, prefixes, **_TOKENS)


_TOKENS: dict[str, Any] = {
    "convert": _convert,
    "counted_by": "head.keypoint_token",
    "of_keypoints": ("head.keypoint_token",),
}
_LARGE = {"depth": (8, 8, 8), "num_heads": 12, "map_width": None}
_SMALL = {"attention_scale": "token"}
_IN_ONE = {
    "features.": "backbone.",
    **{
        f"features.{part}": f"head.{part}"
        for part in ("keypoint_token", "patch_to_embedding.", "transformers.", "mlp_head.")
    },
}
_APART = {"pre_feature.": "backbone.", "transformer.": "head."}


def _animaltokenpose() -> Published:
    """As DeepLabCut 3.0 builds it: layers 3 channels wide, and positions not repeated at first."""
    backbone = {"type": "HRNet", "width": 32, "norm_eval": True, "full_fusion": True}
    model = {
        "type": "PoseModel",
        "backbone": backbone,
        "head": {
            "type": "TokenPoseHead",
            "patch_size": (4, 4),
            "depth": (6, 6, 6),
            "mlp_width": 3,
            "repeat_positions": (False, True, True),
            "map_width": None,
            "codec": {"type": "PlateauHeatmap", "locref_std": None},
            "losses": {"heatmap": {"type": "BCELoss"}},
        },
    }
    prefixes = {"backbone.model.": "backbone.", "neck.": "head.", "heads.bodypart.": "head."}
    return Published((256, 256), model, prefixes, num_keypoints=12, flip_pairs=(), **_TOKENS)


def _hrnet(width: int, stages: int) -> dict[str, Any]:
    return {"type": "HRNet", "width": width, "stages": stages}


MODELS = {
    "tokenpose_t_256x192": _tokenpose(
        (256, 192),
        {"type": "IdentityBackbone"},
        {"transformer.": "head."},
        patch_size=(16, 12),
        num_heads=16,
    ),
    "tokenpose_s_v1_256x192": _tokenpose((256, 192), _hrnet(32, 1), _IN_ONE, **_SMALL),
    "tokenpose_s_v2_256x192": _tokenpose(
        (256, 192), _hrnet(32, 1), _IN_ONE, patch_size=(2, 2), **_SMALL
    ),
    "tokenpose_b_256x192": _tokenpose((256, 192), _hrnet(32, 3), _APART),
    "tokenpose_l_d24_256x192": _tokenpose((256, 192), _hrnet(48, 3), _APART, **_LARGE),
    "tokenpose_l_d24_384x288": _tokenpose(
        (384, 288), _hrnet(48, 3), _APART, patch_size=(6, 4), **_LARGE
    ),
    "dlc_animaltokenpose_base": _animaltokenpose(),
}
"""By name."""
