"""The whole config of dlcreg for a pose model of DeepLabCut 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcreg.apis.deeplabcut import inputs, recipe
from dlcreg.apis.deeplabcut.backbones import Body, body_of
from dlcreg.apis.deeplabcut.facts import flip_pairs_of, split_of
from dlcreg.apis.deeplabcut.heads import NAMES, Top, heads_of
from dlcreg.apis.deeplabcut.places import Source, split_file
from dlcreg.apis.deeplabcut.section import Section


@dataclass(frozen=True)
class Plan:
    """What a pose model becomes.

    Args:
        config: the whole config.
        body: backbone and neck.
        tops: the heads, by DeepLabCut's names.
        image_size: height and width of the images that it is made for; None for any.
    """

    config: dict[str, Any]
    body: Body
    tops: dict[str, Top]
    image_size: tuple[int, int] | None


def pose_plan(config: Section, found: Source, method: str) -> Plan:
    """Return the plan of a pose model.

    Args:
        config: ``pytorch_config.yaml``.
        found: where it is from.
        method: ``bu``, ``td`` or ``ctd``.
    """
    model, data = config.section("model"), config.section("data")
    body = body_of(model)
    tops = heads_of(model, _stride(body))
    sizes = [body.image_size, *(top.image_size for top in tops.values())]
    size = next((one for one in sizes if one is not None), None)
    model.ignore("backbone_output_channels", "pose_model", "neck")
    model.close()
    heads: Any = {NAMES[name]: top.head for name, top in tops.items()}
    if len(tops) == 1:
        heads = next(iter(heads.values()))
    data.only("colormode", "RGB", "images are read as RGB")
    data.ignore("loader", "gen_sampling")
    written: dict[str, Any] = {
        "type": "PoseModel",
        "backbone": body.backbone,
        **({"neck": body.neck} if body.neck else {}),
        "head": heads,
        **inputs.normalisation(data),
        # DeepLabCut shows its networks images as they are, whatever their sides are
        "size_divisor": 1,
    }
    place = str(found.project) if found.project is not None else "."
    pairs = flip_pairs_of(config, len(config.section("metadata").get("bodyparts", [])))
    shared = {
        "type": "PoseDataset",
        "project": {"root": place},
        **({"view": "instance"} if inputs.is_instance(method) else {}),
        "box_margin": float(data.number("bbox_margin", 20)),
        **({"flip_pairs": pairs} if pairs is not None else {}),
    }
    tests = inputs.of_tests(data, method, size)
    parts = {
        "train": {**shared, "mode": "train", "transform": inputs.of_training(data, method, size)},
        "test": {**shared, "mode": "test", "transform": tests},
    }
    data.close()
    split = split_file(found) if split_of(found) else None
    metrics: list[dict[str, Any]] = [{"type": "PixelError", "pcutoff": 0.6}, {"type": "CocoOKS"}]
    if "unique_bodypart" in tops:
        metrics.append({"type": "UniqueKeypoints", "metric": {"type": "PixelError"}})
    if "identity" in tops:
        metrics.append({"type": "IdentityAccuracy"})
    evaluation: dict[str, Any] = {"pcutoff": 0.6, "flip_test": False}
    if method == "td":
        evaluation |= {"nms": None}
    elif method == "ctd":
        evaluation |= {"nms": None, "keypoint_scores": "deeplabcut"}
    whole = {
        "model": written,
        "data": {**parts, **({"split": str(split)} if split else {}), **recipe.batches(config)},
        "solver": recipe.solver_of(config, metrics),
        "evaluation": evaluation,
    }
    return Plan(whole, body, tops, size)


def _stride(body: Body) -> int:
    backbone = body.backbone
    while isinstance(backbone.get("backbone"), Mapping):
        backbone = backbone["backbone"]
    return {"HRNet": 4, "CSPNeXt": 32}.get(backbone["type"]) or int(backbone["output_stride"])
