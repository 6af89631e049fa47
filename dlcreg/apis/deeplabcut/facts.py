"""What is known of a model of DeepLabCut 3 beside its network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dlcreg.apis.deeplabcut.places import Source, split_file
from dlcreg.apis.deeplabcut.section import Section
from dlcreg.config.dump import portable
from dlcreg.data.keypoint_options import chosen_sigmas, unique_info
from dlcreg.data.keypoints import find_flip_pairs
from dlcreg.data.split import Split
from dlcreg.errors import DataError
from dlcreg.structures import DatasetInfo


def info_of(config: Section, found: Source, method: str) -> DatasetInfo:
    """Return keypoints, individuals and unique body parts."""
    metadata = config.section("metadata")
    names = tuple(map(str, metadata.need("bodyparts", ["unknown"])))
    individuals = tuple(map(str, metadata.get("individuals", ["individual_1"])))
    unique = tuple(map(str, metadata.get("unique_bodyparts", [])))
    with_identity = bool(metadata.get("with_identity", metadata.get("identity", False)))
    metadata.ignore("project_path", "pose_config_path")
    metadata.close()
    stated = flip_pairs_of(config, len(names))
    pairs = found.settings.get("skeleton") or []
    known = [tuple(map(str, pair)) for pair in pairs if isinstance(pair, list) and len(pair) == 2]
    return DatasetInfo(
        keypoint_names=names,
        skeleton=tuple(
            (names.index(a), names.index(b)) for a, b in known if a in names and b in names
        ),
        flip_pairs=stated if stated is not None else find_flip_pairs(names),
        num_individuals=len(individuals) if method == "bu" else 1,
        sigmas=chosen_sigmas(None, len(names)),
        individuals=individuals,
        identified=with_identity,
        unique=unique_info(unique),
    )


def flip_pairs_of(config: Section, count: int) -> tuple[tuple[int, int], ...] | None:
    """Return the twins that a config states for `count` keypoints; None where it states none."""
    data = config.section("data")
    flip = data.section("train").get("hflip")
    stated = {
        "data.gen_sampling.keypoints_symmetry": data.section("gen_sampling").get(
            "keypoints_symmetry"
        ),
        "data.train.hflip.symmetries": flip.get("symmetries")
        if isinstance(flip, Mapping)
        else None,
    }
    for place, value in stated.items():
        try:
            pairs = tuple((int(a), int(b)) for a, b in value or ())
        except (TypeError, ValueError):
            config.wrong(place, f"is to be pairs of numbers of keypoints, not {value!r}")
            return None
        if pairs and max(map(max, pairs)) < count:
            return pairs
        if pairs:
            config.note(f"{place} is left out: it names keypoints that the model does not have")
    return None


def conditions_of(config: Section) -> str:
    """Return which model's poses are the conditions, as far as the config says so."""
    conditions = config.section("inference").get("conditions")
    if not isinstance(conditions, Mapping):
        return "" if conditions is None else str(conditions)
    if conditions.get("shuffle") is not None:
        return f"shuffle {conditions['shuffle']}"
    return str(conditions.get("snapshot_path") or conditions.get("filepath") or "")


def scorer_of(net: str, found: Source) -> str:
    """Return DeepLabCut's name for what a snapshot finds."""
    camel = "".join(part.capitalize() for part in net.split("_"))
    detector = f"detector_{found.detector_uid}_" if found.detector_uid else ""
    return f"DLC_{camel}_{found.label}_{detector}snapshot_{found.pose_uid}"


def origin_of(net: str, found: Source, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a checkpoint comes from, in plain values."""
    return {
        "net_type": net,
        "snapshot": found.place,
        "epoch": metadata.get("epoch"),
        "metrics": measured_of(metadata),
    }


def measured_of(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return what was measured when a snapshot was taken."""
    values = metadata.get("metrics") or {}
    return {
        str(name).removeprefix("metrics/"): float(value)
        for name, value in values.items()
        if isinstance(value, (int, float))
    }


def split_of(found: Source) -> dict[str, Any] | None:
    """Return the split of the training as checkpoints hold it, if the project still has it."""
    path = split_file(found)
    if path is None or found.project is None:
        return None
    try:
        split = Split.load(path)
    except DataError:
        return None
    content = asdict(split)
    content["project"] = found.project.resolve().name
    return dict(portable(content))
