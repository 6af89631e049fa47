"""Target generators, losses and predictors of DeepLabCut 3 as codecs and losses of dlcreg."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.apis.deeplabcut.section import Section

_STD = 7.2801
_RADIUS = 17.0
_THINNED = 105  # edges from which on a complete graph is thinned out, here and there
_LOSSES = {
    "WeightedMSECriterion": ("MSELoss", "none"),
    "WeightedHuberCriterion": ("HuberLoss", "none"),
    "WeightedBCECriterion": ("BCELoss", "sigmoid"),
}
"""Ours, and the activation that the loss of a heatmap implies."""


def losses_of(head: Section, outputs: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return the losses of maps by our names of them, and the activation of the first one.

    DeepLabCut takes the mean of the weighted losses, and dlcreg their sum: the weights are
    DeepLabCut's, which tell how they stand to one another.

    Args:
        head: section of a head.
        outputs: DeepLabCut's names of the maps, and ours.
    """
    criterion = head.section("criterion")
    one = "type" in criterion
    found, activations = {}, []
    for theirs, ours in outputs.items():
        part = criterion if one else criterion.section(theirs)
        kind, activation = _LOSSES[part.choice("type", _LOSSES)]
        weight = part.number("weight", 1.0)
        found[ours] = {"type": kind, **({} if weight == 1 else {"weight": weight})}
        activations.append(activation)
        part.close()
    criterion.close()
    return found, activations[0]


def heatmap_codec(head: Section, has_locref: bool, activation: str) -> dict[str, Any]:
    """Return the codec of one animal: a heatmap for each keypoint.

    Args:
        head: section of a head.
        has_locref: whether it has location refinement.
        activation: that the loss implies.
    """
    predictor = head.section("predictor")
    predictor.only("type", "HeatmapPredictor", "this head has another predictor here")
    _check_activation(predictor, activation, True)
    if activation == "none" and not predictor.get("clip_scores", False):
        predictor.note("likelihoods are cut to 0 to 1, which this model did not do in DeepLabCut")
    predictor.ignore("clip_scores")
    refines = predictor.get("location_refinement", True) and has_locref
    std = predictor.number("locref_std", _STD) if refines else None
    predictor.ignore("locref_std")
    predictor.close()
    generator = head.section("target_generator")
    kind, common = _heatmap_targets(generator, "KEYPOINT")
    radius = common.pop("radius")
    generator.close()
    if kind == "PlateauHeatmap":
        return {"type": kind, "radius": radius, "locref_std": std, **common}
    refinement = {"read": "cell"} if std is None else {"locref_std": std, "locref_radius": radius}
    return {
        "type": kind,
        "sigma": 2 * radius / 3,  # in pixels: the head makes cells of it
        **refinement,
        "anchor": "deeplabcut",
        **common,
    }


def identity_codec(head: Section, activation: str) -> dict[str, Any]:
    """Return the codec of who is who."""
    predictor = head.section("predictor")
    _check_activation(predictor, activation, True)
    predictor.ignore("type")
    predictor.close()
    generator = head.section("target_generator")
    _, common = _heatmap_targets(generator, "INDIVIDUAL")
    generator.close()
    return {
        "type": "IdentityMaps",
        "radius": common["radius"],
        "anchor": "deeplabcut",
        "read": "pixel",
    }


def limb_codec(head: Section, activation: str) -> tuple[dict[str, Any], list[bool]]:
    """Return the codec of several animals, and along which edges they are assembled."""
    predictor = head.section("predictor")
    predictor.only("type", "PartAffinityFieldPredictor", "this head has another predictor here")
    _check_activation(predictor, activation, True)
    predictor.only("num_uniquebodyparts", 0, "unique body parts have a head of their own")
    predictor.only("nms_radius", 5, "other windows are not known here")
    for name in ("add_discarded", "force_fusion"):
        predictor.only(name, False, "that is not known here")
    predictor.ignore("clip_scores", "return_preds", "edges_to_keep")
    graph = [tuple(int(end) for end in edge) for edge in predictor.need("graph", [[0, 1]])]
    count = int(predictor.number("num_multibodyparts", 2))
    complete = [(a, b) for a in range(count) for b in range(a + 1, count)]
    if len(complete) >= _THINNED:
        complete = []
    generators = head.section("target_generator").sections("generators")
    settings: dict[str, Any] = {"radius": _RADIUS, "width": 20.0}
    for generator in generators:
        if generator.get("type") == "PartAffinityFieldGenerator":
            settings["width"] = generator.number("width", 20.0)
            generator.ignore("graph")
        else:
            kind, common = _heatmap_targets(generator, "KEYPOINT")
            settings |= common
            settings["heatmap"] = "plateau" if kind == "PlateauHeatmap" else "gaussian"
        generator.close()
    targets = head.section("target_generator")
    targets.only("type", "SequentialGenerator", "this head has other targets here")
    targets.ignore("generators", "label_keypoint_key")
    targets.close()
    codec = {
        "type": "PartAffinityFields",
        "num_individuals": int(predictor.number("num_animals", 1)),
        "graph": "complete" if graph == complete else graph,
        **settings,
        "locref_std": predictor.number("locref_stdev", _STD),
        "whole_pixels": True,
        "overlap": "last",
        "search": "blurred",
        "blur": predictor.number("sigma", 1.0),
        "score": "blurred",
        "apart": 0.0,
        "affinity": "deeplabcut",
        "min_affinity": predictor.number("min_affinity", 0.05),
        "suppression": "boxes",
        "growth": "links",
    }
    kept = predictor.get("edges_to_keep", range(len(graph)))
    predictor.close()
    return codec, [edge in kept for edge in range(len(graph))]


def centre_codec(head: Section) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return codec and losses of DEKR."""
    predictor = head.section("predictor")
    predictor.only("type", "DEKRPredictor", "this head has another predictor here")
    predictor.only("apply_sigmoid", False, "heatmaps are trained without it")
    predictor.only("use_heatmap", False, "keypoints moved to peaks are not known here")
    predictor.only("apply_pose_nms", True, "poses that repeat others are left out here")
    predictor.ignore("clip_scores", "max_absorb_distance", "detection_threshold")
    scores = {"combined": "combined", "center": "centre"}
    score = scores[predictor.choice("keypoint_score_type", scores, "combined")]
    generator = head.section("target_generator")
    generator.only("type", "DEKRGenerator", "this head has other targets here")
    generator.ignore("num_joints", "label_keypoint_key")
    radius = generator.number("pos_dist_thresh", _RADIUS)
    codec = {
        "type": "DEKROffsets",
        "sigma": radius / 8,  # cells of stride 4
        "radius": radius / 4,
        "background": generator.number("bg_weight", 0.1),
        "overlap": "first",
        "normalise_by": "area",
        "unlabelled": "background",
        "truncate": True,
        "candidates": int(predictor.number("num_animals", 1)),
        "num_individuals": int(predictor.number("num_animals", 1)),
        "threshold": 0.0,
        "window": 5,
        "nms": predictor.number("nms_threshold", 0.05),
        "nms_keypoints": 0,
        "nms_order": "centre",
        "scores": score,
        "read": "cell",
        "anchor": "deeplabcut",
    }
    generator.close()
    predictor.close()
    criterion = head.section("criterion")
    heatmap, offset = criterion.section("heatmap"), criterion.section("offset")
    heatmap.ignore("type")
    offset.ignore("type")
    beta = offset.number("beta", 1 / 9)
    losses = {
        "heatmap": {
            "type": "MSELoss",
            "reduction": "mean",
            "weight": heatmap.number("weight", 1.0),
        },
        # a smooth L1 loss is Huber's over its beta
        "offset": {
            "type": "HuberLoss",
            "delta": beta,
            "weight": offset.number("weight", 0.03) / beta,
        },
    }
    for part in (heatmap, offset, criterion):
        part.close()
    return codec, losses


def bins_codec(head: Section) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return codec and losses of RTMPose."""
    predictor = head.section("predictor")
    predictor.only("type", "SimCCPredictor", "this head has another predictor here")
    predictor.only("normalize_outputs", False, "that is not known here")
    predictor.only("apply_softmax", True, "scores without it are not known here")
    generator = head.section("target_generator")
    generator.only("type", "SimCCGenerator", "this head has other targets here")
    generator.only("smoothing_type", "gaussian", "other labels are not known here")
    generator.only("label_smooth_weight", 0.0, "other labels are not known here")
    generator.ignore("input_size", "normalize", "simcc_split_ratio", "sigma", "label_keypoint_key")
    sigma = predictor.get("sigma", 6.0)
    codec = {
        "type": "SimCC",
        "sigma": [float(s) for s in (sigma if isinstance(sigma, list) else [sigma, sigma])],
        "split_ratio": predictor.number("simcc_split_ratio", 2.0),
        "labels": "rounded",
        "decoding": "highest",
        "score": "softmax",
        "sharpness": predictor.number("decode_beta", 150.0),
    }
    generator.close()
    predictor.close()
    criterion = head.section("criterion")
    losses = {}
    for axis in "xy":
        part = criterion.section(axis)
        part.only("type", "KLDiscreteLoss", "this head has another loss here")
        part.ignore("use_target_weight", "label_softmax", "label_beta", "mask", "mask_weight")
        losses[axis] = {
            "type": "KLDiscreteLoss",
            "beta": part.number("beta", 10.0),
            "reduction": "original",
            "weight": part.number("weight", 1.0),
        }
        part.close()
    criterion.close()
    return codec, losses


def _heatmap_targets(generator: Section, mode: str) -> tuple[str, dict[str, Any]]:
    """Return our codec of a generator of heatmaps, its radius and what unlabelled maps teach."""
    kinds = {
        "HeatmapGaussianGenerator": "GaussianHeatmap",
        "HeatmapPlateauGenerator": "PlateauHeatmap",
    }
    kind = kinds[generator.choice("type", kinds)]
    if str(generator.get("heatmap_mode", "KEYPOINT")).upper() != mode:
        generator.wrong("heatmap_mode", f"this head has maps of mode {mode} here")
    generator.ignore(
        "num_heatmaps", "generate_locref", "locref_std", "label_keypoint_key", "background_weight"
    )
    masked = generator.get("gradient_masking", False)
    radius = generator.number("pos_dist_thresh", _RADIUS)
    return kind, {"radius": radius, "unlabelled": "ignore" if masked else "background"}


def _check_activation(predictor: Section, activation: str, default: bool) -> None:
    """Tell where outputs are read otherwise than they are trained."""
    if bool(predictor.get("apply_sigmoid", default)) != (activation == "sigmoid"):
        predictor.wrong(
            "apply_sigmoid",
            "outputs are read in the way that their loss (criterion) trains them here",
        )
