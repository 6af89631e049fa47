"""The heads of DeepLabCut 3 as those of dlcreg."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlcreg.apis.deeplabcut import targets
from dlcreg.apis.deeplabcut.section import Section

NAMES = {"bodypart": "pose", "unique_bodypart": "unique", "identity": "identity"}
"""DeepLabCut's names of heads, and ours where a model has several."""

FLAT = "dlc_resnet_50_td"
"""A published model whose head is a convolution for each output."""


@dataclass(frozen=True)
class Top:
    """A head.

    Args:
        head: its config.
        weights: name of the published model whose head's tensors are named likewise.
        outputs: names of its outputs where they differ from those of the published model's.
        neck: whether it holds what DeepLabCut calls the neck.
        edges: which edges of a graph animals are assembled along; None where there is none.
        image_size: height and width of the images that it is made for; None for any.
    """

    head: dict[str, Any]
    weights: str
    outputs: dict[str, str] = field(default_factory=dict)
    neck: bool = False
    edges: list[bool] | None = None
    image_size: tuple[int, int] | None = None


def heads_of(model: Section, stride: int) -> dict[str, Top]:
    """Return the heads of the section ``model`` by DeepLabCut's names.

    Args:
        model: the section.
        stride: pixels for each cell of the map that they get.
    """
    found: dict[str, Top] = {}
    for name, section in model.named("heads"):
        if name not in NAMES:
            known = ", ".join(NAMES)
            model.section("heads").wrong(name, f"is no head that is known here. Known: {known}")
            continue
        kind = section.choice("type", _KINDS)
        found[name] = _KINDS[kind](section, stride, name)
        section.ignore("weight_init")
        section.close()
    if "bodypart" not in found:
        model.wrong("heads", "has no head 'bodypart'")
    return found


def _heatmap(section: Section, stride: int, name: str) -> Top:
    """DeepLabCut's plain head: transposed convolutions of each output, or one convolution."""
    deconvs, between, has_final = _layers(section, "heatmap_config")
    has_locref = "locref_config" in section
    if has_locref and _layers(section, "locref_config")[0] != deconvs:
        section.wrong("locref_config", "has other layers than heatmap_config")
    first = "identity" if name == "identity" else "heatmap"
    outputs = {"heatmap": first, **({"locref": "locref"} if has_locref else {})}
    losses, activation = targets.losses_of(section, outputs)
    if name == "identity":
        codec = targets.identity_codec(section, activation)
    else:
        codec = targets.heatmap_codec(section, has_locref, activation)
    if codec["type"] == "GaussianHeatmap":
        codec["sigma"] /= stride / 2**deconvs
    renamed = {"heatmap": "identity"} if name == "identity" else {}
    if deconvs == 0:
        if not has_final:
            section.wrong("heatmap_config", "has no layer")
        plain = {"type": "HeatmapHead", "codec": codec, "losses": losses}
        return _wrapped(Top(plain, FLAT, renamed), name)
    if has_final:
        section.wrong("heatmap_config", "a convolution behind transposed ones is not known here")
    head: dict[str, Any] = {
        "type": "DeconvHead",
        **({"num_deconvs": deconvs} if deconvs > 1 else {}),
        **({"deconv_channels": between[0]} if between else {}),
        "keep_edges": True,
        "codec": codec,
        "losses": losses,
    }
    return _wrapped(Top(head, "dlc_resnet_50_bu_single", renamed), name)


def _wrapped(top: Top, name: str) -> Top:
    """Let a head of unique body parts be one that completes the poses of another."""
    if name != "unique_bodypart":
        return top
    return Top({"type": "UniqueKeypointsHead", "head": top.head}, top.weights, top.outputs)


def _limbs(section: Section, stride: int, name: str) -> Top:
    deconvs, _, _ = _layers(section, "heatmap_config")
    for other in ("locref_config", "paf_config"):
        if _layers(section, other)[0] != deconvs:
            section.wrong(other, "has other layers than heatmap_config")
    stages = int(section.number("num_stages", 5))
    if stages < 1:
        section.wrong("num_stages", "a head without stages is not known here")
    outputs = {"heatmap": "heatmap", "locref": "locref", "paf": "paf"}
    losses, activation = targets.losses_of(section, outputs)
    codec, edges = targets.limb_codec(section, activation)
    head: dict[str, Any] = {
        "type": "DLCRNetHead",
        "engine": "pytorch",
        "num_stages": stages,
        "feature_channels": int(section.number("features_dim", 128)),
        "num_deconvs": deconvs,
        "codec": codec,
        "losses": losses,
    }
    return Top(head, "dlc_resnet_50_bu_multi_paf", edges=edges)


def _centres(section: Section, stride: int, name: str) -> Top:
    heatmap, offset = section.section("heatmap_config"), section.section("offset_config")
    codec, losses = targets.centre_codec(section)
    for part in (heatmap, offset):
        part.only("dilation_rate", 1, "dilated convolutions are not known here")
        part.only("final_conv_kernel", 1, "other kernels are not known here")
    head = {
        "type": "DEKRHead",
        "heatmap_channels": _at(heatmap, 1, 32),
        "heatmap_blocks": int(heatmap.number("num_blocks", 1)),
        "offset_channels": int(offset.number("num_offset_per_kpt", 15)),
        "offset_blocks": int(offset.number("num_blocks", 2)),
        "codec": codec,
        "losses": losses,
    }
    offset.ignore("channels")
    heatmap.close()
    offset.close()
    section.only("stride", 1, "another stride is not known here")
    return Top(head, "dlc_dekr_w32")


def _bins(section: Section, stride: int, name: str) -> Top:
    codec, losses = targets.bins_codec(section)
    unit = section.section("gau_cfg")
    unit.ignore("dropout_rate", "drop_path")
    unit.only("act_fn", "SiLU", "other activations are not known here")
    unit.only("use_rel_bias", False, "that is not known here")
    unit.only("pos_enc", False, "that is not known here")
    head = {
        "type": "RTMCCHead",
        "final_kernel": int(section.number("final_layer_kernel_size", 7)),
        "hidden": int(unit.number("hidden_dims", 256)),
        "expansion": int(unit.number("expansion_factor", 2)),
        "key_width": int(unit.number("s", 128)),
        "summing": "plain",
        "codec": codec,
        "losses": losses,
    }
    unit.close()
    width, height = section.need("input_size", (256, 256))
    section.ignore("in_channels", "out_channels", "in_featuremap_size", "simcc_split_ratio")
    return Top(head, "dlc_rtmpose_s", image_size=(int(height), int(width)))


def _tokens(section: Section, stride: int, name: str) -> Top:
    losses, activation = targets.losses_of(section, {"heatmap": "heatmap"})
    codec = targets.heatmap_codec(section, False, activation)
    height, width = section.need("heatmap_size", (64, 64))
    section.only("head_stride", 1, "another stride is not known here")
    section.only("apply_multi", True, "tokens of one transformer are not known here")
    section.ignore("heatmap_dim", "hidden_heatmap_dim", "apply_init", "dim")
    neck = Section(section.tree, "model.neck", section.root)
    neck.only("type", "Transformer", "this head has another neck here")
    neck.ignore("num_keypoints", "channels", "heatmap_size", "apply_init", "dropout")
    neck.ignore("emb_dropout", "feature_size")
    neck.only("pos_embedding_type", "sine-full", "other positions are not known here")
    depth = int(neck.number("depth", 6))
    patch = [int(side) for side in neck.need("patch_size", (4, 4))]
    head = {
        "type": "TokenPoseHead",
        "patch_size": patch,
        "dim": int(neck.number("dim", 192)),
        "depth": [depth] * 3,
        "num_heads": int(neck.number("heads", 8)),
        # DeepLabCut takes the ratio for the width, and adds positions once in the first transformer
        "mlp_width": int(neck.number("mlp_dim", 3)),
        "repeat_positions": [False, True, True],
        "map_width": None,
        "map_stride": stride,
        "codec": codec,
        "losses": losses,
    }
    neck.close()
    size = (int(height) * stride, int(width) * stride)
    return Top(head, "dlc_animaltokenpose_base", neck=True, image_size=size)


_KINDS: dict[str, Callable[[Section, int, str], Top]] = {
    "HeatmapHead": _heatmap,
    "DLCRNetHead": _limbs,
    "DEKRHead": _centres,
    "RTMCCHead": _bins,
    "TransformerHead": _tokens,
}


def _layers(head: Section, key: str) -> tuple[int, list[int], bool]:
    """Return the number of transposed convolutions, the channels between, and of a final one.

    A single one of a kernel and a stride of 1, as SuperAnimal's HRNet has, is a convolution.
    """
    section = head.section(key)
    kernels, strides = section.get("kernel_size", []), section.get("strides", [])
    if list(kernels) == list(strides) == [1] and "final_conv" not in section:
        section.ignore("channels")
        section.close()
        return 0, [], True
    if any(kernel != 3 for kernel in kernels) or any(stride != 2 for stride in strides):
        section.wrong(
            "kernel_size", "other layers than kernels of 3 and strides of 2 are not known"
        )
    channels = section.get("channels", [])
    final = section.section("final_conv")
    has_final = bool(final.values)
    if has_final:
        final.ignore("out_channels")
        final.only("kernel_size", 1, "other kernels are not known here")
        final.close()
    section.close()
    between = [int(width) for width in channels[1:-1]]
    if len(set(between)) > 1:
        section.wrong("channels", "layers of different widths are not known here")
    return len(kernels), between, has_final


def _at(section: Section, index: int, default: int) -> int:
    channels: Sequence[Any] = section.get("channels", [])
    return int(channels[index]) if len(channels) > index else default
