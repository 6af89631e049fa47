"""The backbones of DeepLabCut 3 as those of dlcreg."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dlcreg.apis.deeplabcut.section import Section

_DEPTH = re.compile(r"resnet(18|34|50|101|152)(_gn)?")
_WIDTH = re.compile(r"hrnet_w(18|30|32|40|44|48|64)")


@dataclass(frozen=True)
class Body:
    """What features are made by.

    Args:
        backbone: its config.
        weights: name of the published model whose backbone's tensors are named likewise.
        neck: config of a neck, or None.
        image_size: height and width of the images that it is made for; None for any.
    """

    backbone: dict[str, Any]
    weights: str
    neck: dict[str, Any] | None = None
    image_size: tuple[int, int] | None = None


def body_of(model: Section) -> Body:
    """Return backbone and neck of the section ``model``."""
    section = model.section("backbone")
    kind = section.choice("type", _KINDS)
    body = _KINDS[kind](section)
    section.close()
    return body


def _resnet(section: Section) -> Body:
    depth, norm = _depth(section)
    backbone = {
        "type": "ResNet",
        "depth": depth,
        "output_stride": section.get("output_stride", 32),
        **({"early_dilation": True} if depth < 50 else {}),
        **({"norm": norm} if norm == "group" else {}),
        **_norms(section, norm == "group"),
    }
    section.ignore("drop_path_rate", "drop_block_rate")
    return Body(backbone, "dlc_resnet_50_bu_single")


def _dlcrnet(section: Section) -> Body:
    depth, norm = _depth(section)
    if norm == "group" or depth < 50:
        section.wrong("model_name", "a DLCRNet of other than resnet50 and resnet101 is not known")
    backbone = {
        "type": "DLCRNet",
        "depth": depth,
        "output_stride": section.get("output_stride", 32),
        "engine": "pytorch",
        "detach_banks": True,
    }
    frozen = _norms(section, False)
    if frozen:
        backbone["frozen_norms"] = True
    section.ignore("drop_path_rate", "drop_block_rate")
    return Body(backbone, "dlc_dlcrnet_stride16_ms5")


def _hrnet(section: Section) -> Body:
    width = _width(section, "model_name")
    section.only("increased_channel_count", False, "wider features are not known here")
    frozen = _norms(section, False)
    section.only("stride", 4, "an HRNet of another stride is not known here")
    if section.get("interpolate_branches", False):
        backbone = {"type": "HRNet", "width": width, "out_indices": (0, 1, 2, 3), **frozen}
        return Body(backbone, "dlc_dekr_w32", {"type": "UpsampleConcat"})
    return Body(
        {"type": "HRNet", "width": width, **frozen, "full_fusion": True}, "dlc_hrnet_w32_td"
    )


def _cspnext(section: Section) -> Body:
    section.ignore("model_name")
    section.only("arch", "P5", "other architectures are not known here")
    section.only("expand_ratio", 0.5, "other ratios are not known here")
    section.only("out_indices", -1, "other outputs are not known here")
    section.only("channel_attention", True, "one without attention is not known here")
    section.only("activation_fn", "SiLU", "other activations are not known here")
    section.ignore("norm_layer")
    backbone = {
        "type": "CSPNeXt",
        "deepen_factor": section.number("deepen_factor", 0.67),
        "widen_factor": section.number("widen_factor", 0.75),
        **_norms(section, False),
    }
    return Body(backbone, "dlc_rtmpose_s")


def _prenet(section: Section) -> Body:
    inner = body_of(section)
    is_csp = inner.backbone["type"] == "CSPNeXt"
    backbone = {
        "type": "PreNet",
        "backbone": inner.backbone,
        "encoder": _encoder(section),
        # its CSPNeXt has batch normalisation of a class that the wrapper leaves alone
        "frozen_norms": "own" if is_csp else "all",
    }
    section.ignore("pretrained", "freeze_bn_stats", "freeze_bn_weights")
    weights = "dlc_ctd_prenet_rtmpose_s" if is_csp else "dlc_ctd_prenet_hrnet_w32"
    return Body(backbone, weights, inner.neck, _image_size(section))


def _coam(section: Section) -> Body:
    section.only("att_heads", 1, "several heads of attention are not known here")
    section.only("selfatt_coam_modules", None, "attention without a condition is not known here")
    stages = [int(stage) for stage in section.get("coam_modules", (2,))]
    hrnet = {
        "type": "HRNet",
        "width": _width(section, "base_model_name"),
        **_norms(section, False),
        "full_fusion": True,
    }
    backbone = {
        "type": "CoAM",
        "backbone": hrnet,
        "encoder": _encoder(section),
        "positions": [stage - 1 for stage in sorted(stages)],
        "channel_only": bool(section.get("channel_att_only", False)),
        "swapped_sides": True,
    }
    return Body(backbone, "dlc_ctd_coam_w32", image_size=_image_size(section))


_KINDS: dict[str, Callable[[Section], Body]] = {
    "ResNet": _resnet,
    "HRNet": _hrnet,
    "CSPNeXt": _cspnext,
    "DLCRNet": _dlcrnet,
    "CondPreNet": _prenet,
    "HRNetCoAM": _coam,
}


def _encoder(section: Section) -> dict[str, Any]:
    """Return what draws the condition, as DeepLabCut does."""
    encoder = section.section("kpt_encoder")
    kinds = {
        "StackedKeypointEncoder": "StackedKeypoints",
        "ColoredKeypointEncoder": "ColoredKeypoints",
    }
    kind = encoder.choice("type", kinds)
    encoder.ignore("num_joints", "img_size")
    if [int(side) for side in encoder.get("kernel_size", (15, 15))] != [15, 15]:
        encoder.wrong("kernel_size", "other kernels than 15 x 15 pixels are not known here")
    found: dict[str, Any] = {
        "type": kinds[kind],
        "peak": 255.0,
        "placement": "deeplabcut",
        "blur": "cv2",
        "scale": "image",
    }
    if kind == "ColoredKeypointEncoder":
        encoder.only("colors", None, "colours of one's own are not known here")
        found["colors"] = "deeplabcut"
    encoder.close()
    return found


def _image_size(section: Section) -> tuple[int, int]:
    height, width = section.get("img_size", (256, 256))
    return int(height), int(width)


def _depth(section: Section) -> tuple[int, str]:
    name = section.get("model_name", "resnet50")
    found = _DEPTH.fullmatch(str(name))
    if found is None:
        section.wrong(
            "model_name",
            f"{name!r} is not known here. Known: resnet18, 34, 50, 101, 152 and resnet50_gn",
        )
        return 50, "batch"
    return int(found[1]), "group" if found[2] else "batch"


def _width(section: Section, key: str) -> int:
    name = section.get(key, "hrnet_w32")
    found = _WIDTH.fullmatch(str(name))
    if found is None:
        section.wrong(key, f"{name!r} is not known here. Known: hrnet_w18, w32, w48 and the like")
        return 32
    return int(found[1])


def _norms(section: Section, has_no_statistics: bool) -> dict[str, Any]:
    """Return how batch normalisation is kept; DeepLabCut's switches say nothing to others."""
    section.ignore("pretrained", "freeze_bn_weights")
    frozen = bool(section.get("freeze_bn_stats", True)) and not has_no_statistics
    return {"norm_eval": True} if frozen else {}
