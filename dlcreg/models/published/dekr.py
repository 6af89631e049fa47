"""DEKR (Geng et al., 2021) for persons, and DeepLabCut's DEKR for animals (Ye et al., 2024)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch

from dlcreg.models.published.entry import Published, State

CROWDPOSE_PAIRS = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11))
"""Left and right of CrowdPose's 14 keypoints of persons."""

_ORIGINAL = {
    "": "backbone.",
    "transition_heatmap.": "head.heatmap.",
    "head_heatmap.0.0.": "head.heatmap.3.",
    "head_heatmap.1.": "head.heatmap.4.",
    "transition_offset.": "head.offset.",
    "offset.": "head.offset.",
}
_DEEPLABCUT = {
    "backbone.model.": "backbone.",
    **{
        f"heads.bodypart.{part}_head.{old}": new
        for part in ("heatmap", "offset")
        for old, new in _ORIGINAL.items()
        if part in new
    },
}
_PARTS = {
    "transform_matrix_conv.": "matrix.",
    "translation_conv.": "translation.",
    "adapt_conv.": "",
    "bn.": "norm.",
}
_ADAPTIVE = re.compile(r"(.*)offset_feature_layers\.(\d+)\.(\d+)\.(\w+)(.*)")
_FINAL = re.compile(r"(.*)offset_final_layer\.(\d+)\.(\w+)")


def join_keypoints(state: State) -> State:
    """Return the tensors with those of the keypoints' branches joined along their first axis.

    The originals have layers of its own for each keypoint, and dlcreg a group of channels. Their
    regular grids of taps are left out: they are the same everywhere.
    """
    joined: State = {}
    branches: dict[str, dict[int, torch.Tensor]] = defaultdict(dict)
    for name, tensor in state.items():
        adaptive, final = _ADAPTIVE.fullmatch(name), _FINAL.fullmatch(name)
        if adaptive:
            before, keypoint, block, part, rest = adaptive.groups()
            if part != "regular_matrix":
                layer = _PARTS[f"{part}."] + rest.removeprefix(".")
                branches[f"{before}offset.{3 + int(block)}.{layer}"][int(keypoint)] = tensor
        elif final:
            branches[f"{final[1]}offset.5.{final[3]}"][int(final[2])] = tensor
        else:
            joined[name] = tensor
    for name, of_keypoint in branches.items():
        tensors = [of_keypoint[keypoint] for keypoint in sorted(of_keypoint)]
        joined[name] = torch.cat(tensors) if tensors[0].dim() else tensors[0]
    return joined


def _model(width: int, codec: Mapping[str, Any], reduction: str) -> dict[str, Any]:
    return {
        "type": "PoseModel",
        "backbone": {"type": "HRNet", "width": width, "out_indices": (0, 1, 2, 3)},
        "neck": {"type": "UpsampleConcat"},
        "head": {
            "type": "DEKRHead",
            "heatmap_channels": width,
            "codec": {
                "type": "DEKROffsets",
                "overlap": "first",
                "truncate": True,
                "unlabelled": "background",
                **codec,
            },
            # smooth L1 with beta 1/9 and a factor of 0.03
            "losses": {
                "heatmap": {"type": "MSELoss", "reduction": reduction},
                "offset": {"type": "HuberLoss", "weight": 0.27, "delta": 1 / 9},
            },
        },
    }


def _published(size: int, model: Mapping[str, Any], prefixes: Mapping[str, str], **of: Any) -> Any:
    return Published(
        (size, size),
        model,
        prefixes,
        convert=join_keypoints,
        counted_by="head.heatmap.4.weight",
        keypoints_of=_without_centre,
        of_keypoints=("head.heatmap.4.", "head.offset."),
        **of,
    )


def _without_centre(channels: int) -> int:
    return channels - 1


def _original(width: int, size: int, data: str) -> Published:
    codec = {
        "centre_sigma": 4.0 if data == "coco" else 2.0,
        "min_area": 1024.0,
        "read": "pixel",
        "anchor": "corner",
    }
    of = {} if data == "coco" else {"num_keypoints": 14, "flip_pairs": CROWDPOSE_PAIRS}
    return _published(size, _model(width, codec, "mean"), _ORIGINAL, **of)


def _deeplabcut(width: int) -> Published:
    codec = {
        "sigma": 8.5 / 4,
        "radius": 17 / 4,
        "normalise_by": "area",
        "window": 5,
        "nms_order": "centre",
        "read": "cell",
        "anchor": "deeplabcut",
    }
    model = _model(width, codec, "mean")
    return _published(512, model, _DEEPLABCUT, num_keypoints=12, flip_pairs=())


MODELS = {
    **{
        f"dekr_w{width}_{data}_{size}": _original(width, size, data)
        for data in ("coco", "crowdpose")
        for width, size in ((32, 512), (48, 640))
    },
    **{f"dlc_dekr_w{width}": _deeplabcut(width) for width in (18, 32, 48)},
}
"""By name."""
