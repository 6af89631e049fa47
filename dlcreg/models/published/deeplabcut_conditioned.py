"""DeepLabCut's conditioned models of its PyTorch engine: BUCTD (Zhou et al., 2023) for animals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.models.published import rtmpose
from dlcreg.models.published.buctd import OF_CONDITION, our_attention
from dlcreg.models.published.deeplabcut import backbones, top_down
from dlcreg.models.published.entry import Published

_STACKED = {
    "type": "StackedKeypoints",
    "peak": 255.0,
    "placement": "deeplabcut",
    "blur": "cv2",
    "scale": "image",
}
_PERSONS = 14
_PRENET = {
    "backbone.rgb_preNet.": "backbone.image.",
    "backbone.cond_preNet.": "backbone.condition.",
}


def _prenet(backbone: Mapping[str, Any], frozen_norms: str) -> dict[str, Any]:
    return {
        "type": "PreNet",
        "backbone": dict(backbone),
        "encoder": _STACKED,
        "frozen_norms": frozen_norms,
    }


def _hrnet(width: int) -> Published:
    """The wrapper freezes the batch normalisation of all that is in it."""
    hrnet, stride = backbones()[f"hrnet_w{width}"]
    return top_down(
        _prenet(hrnet, "all"),
        stride,
        prefixes={"backbone.backbone.model.": "backbone.backbone.", **_PRENET},
        of_keypoints=("backbone.condition.",),
    )


def _coam(width: int, size: tuple[int, int] = (256, 256), count: int = 12) -> Published:
    hrnet, stride = backbones()[f"hrnet_w{width}"]
    coam = {"type": "CoAM", "backbone": hrnet, "encoder": _STACKED, "swapped_sides": True}
    prefixes = {
        f"backbone.coam_stages.{position}.": f"backbone.attention.{position}."
        for position in range(4)
    }
    return top_down(
        coam,
        stride,
        size,
        prefixes={"backbone.model.": "backbone.backbone.", **prefixes},
        of_keypoints=OF_CONDITION,
        convert=our_attention,
        num_keypoints=count,
    )


def _rtmpose(letter: str, size: tuple[int, int], count: int = 12) -> Published:
    """Its backbone has a batch normalisation of another class, which the wrapper leaves alone."""
    plain = rtmpose.deeplabcut(letter, size)
    model = {**plain.model, "backbone": _prenet(plain.model["backbone"], "own")}
    return Published(
        size,
        model,
        {**plain.prefixes, **_PRENET},
        convert=plain.convert,
        of_keypoints=(*plain.of_keypoints, "backbone.condition."),
        num_keypoints=count,
        flip_pairs=(),
    )


MODELS = {
    "dlc_ctd_prenet_hrnet_w32": _hrnet(32),
    "dlc_ctd_prenet_hrnet_w48": _hrnet(48),
    "dlc_ctd_prenet_rtmpose_s": _rtmpose("s", (256, 256)),
    "dlc_ctd_prenet_rtmpose_m": _rtmpose("m", (256, 256)),
    "dlc_ctd_prenet_rtmpose_x": _rtmpose("x", (384, 384)),
    "dlc_ctd_prenet_rtmpose_x_human": _rtmpose("x", (384, 288), _PERSONS),
    "dlc_ctd_coam_w32": _coam(32),
    "dlc_ctd_coam_w48": _coam(48),
    "dlc_ctd_coam_w48_human": _coam(48, (384, 288), _PERSONS),
}
"""By name."""
