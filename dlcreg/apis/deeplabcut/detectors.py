"""The detectors of DeepLabCut 3 as those of dlcreg."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dlcreg.apis.deeplabcut import inputs, recipe
from dlcreg.apis.deeplabcut.places import Source
from dlcreg.apis.deeplabcut.section import Section
from dlcreg.structures import DatasetInfo

_OWN = {"SSDLite": ((0.5,) * 3, (0.5,) * 3), "FasterRCNN": (inputs.MEAN, inputs.STD)}
"""What torchvision normalises by, of each kind."""


def plan(config: Section, found: Source, info: DatasetInfo) -> dict[str, Any] | None:
    """Return the whole config of a top-down model's detector; None where it has none.

    Args:
        config: ``pytorch_config.yaml``.
        found: where it is from.
        info: of the data.
    """
    section = config.section("detector")
    if not section.values or found.detector is None:
        section.ignore(*section.values)
        return None
    model, data = section.section("model"), section.section("data")
    kind = model.choice("type", _OWN)
    detector: dict[str, Any] = {"type": kind}
    if kind == "FasterRCNN":
        variant = str(model.get("variant", "fasterrcnn_mobilenet_v3_large_fpn")).lower()
        detector["backbone"] = variant.removeprefix("fasterrcnn_")
    if model.get("freeze_bn_stats", False):
        detector["norm_eval"] = True
    if kind == "FasterRCNN":
        detector["min_score"] = model.number("box_score_thresh", 0.01)
    elif model.get("pretrained_from_imagenet", False):
        detector["reduced_tail"] = False
    detector["origin"] = "centre"
    model.ignore("box_score_thresh", "freeze_bn_weights", "pretrained", "pretrained_from_imagenet")
    model.close()
    data.only("colormode", "RGB", "images are read as RGB")
    data.ignore("bbox_margin")
    written: dict[str, Any] = {
        "type": "DetectionModel",
        "detector": detector,
        "max_animals": len(info.individuals),
        "min_score": 0.0,
        **_normalisation(data, kind),
    }
    margin = float(config.section("data").number("bbox_margin", 20))
    shared = {
        "type": "PoseDataset",
        "project": {"root": str(found.project) if found.project is not None else "."},
        "box_margin": margin,
    }
    training = inputs.of_training(data, "bu", None)
    training.append({"type": "KeypointBoxes", "margin": margin})
    whole = {
        "model": written,
        "data": {
            "train": {**shared, "mode": "train", "transform": training},
            "test": {**shared, "mode": "test", "transform": inputs.of_tests(data, "bu", None)},
            **recipe.batches(section),
        },
        "solver": recipe.solver_of(section, [{"type": "BoxAP", "margin": margin}]),
    }
    data.close()
    section.ignore("device", "inference", "resume_training_from")
    section.close()
    return whole


def whole_images(info: DatasetInfo, config: Section) -> DatasetInfo:
    """Return what the data says of whole images, where `info` is of crops."""
    return replace(info, num_individuals=len(info.individuals))


def _normalisation(data: Section, kind: str) -> dict[str, Any]:
    """Return mean and standard deviation: DeepLabCut normalises, and torchvision once more."""
    known = inputs.normalisation(data)
    mean, std = known.get("mean", inputs.MEAN), known.get("std", inputs.STD)
    own_mean, own_std = _OWN[kind]
    pairs = list(zip(mean, std, own_mean, own_std))
    return {
        "mean": tuple(round(m + s * own, 9) for m, s, own, _ in pairs),
        "std": tuple(round(s * own, 9) for _, s, _, own in pairs),
    }
