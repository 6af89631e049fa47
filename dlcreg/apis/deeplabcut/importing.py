"""A model of DeepLabCut 3 as a checkpoint of dlcreg, with its config inside and beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcreg.apis.deeplabcut import detectors, inputs, recipe
from dlcreg.apis.deeplabcut.backbones import Body, body_of
from dlcreg.apis.deeplabcut.heads import NAMES, Top, heads_of
from dlcreg.apis.deeplabcut.places import Snapshot, Source, find, split_file
from dlcreg.apis.deeplabcut.section import Section
from dlcreg.apis.deeplabcut.weights import detector_state, pose_state, read_snapshot
from dlcreg.builder import build_model
from dlcreg.config.dump import portable, python_text
from dlcreg.data.keypoint_options import chosen_sigmas, unique_info
from dlcreg.data.keypoints import find_flip_pairs
from dlcreg.data.split import Split
from dlcreg.errors import CheckpointError, DataError
from dlcreg.files import write_text
from dlcreg.models.weights import load_state
from dlcreg.plugins import own_version
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.structures import DatasetInfo
from dlcreg.wiring import parts_of

_METHODS = ("bu", "td", "ctd")


@dataclass
class Imported:
    """What was imported.

    Args:
        checkpoint: the file that was written; its config lies beside it as ``.py``.
        detector: the checkpoint of its detector, or None.
        net_type: DeepLabCut's name of the architecture.
        method: ``bu`` for whole images, ``td`` for one animal at a time, ``ctd`` with a condition.
        scorer: DeepLabCut's name for what this snapshot finds.
        info: keypoints, individuals and unique body parts.
        heads: DeepLabCut's names of the heads.
        source: the snapshot.
        epoch: after which it was taken; None if it does not say.
        measured: what DeepLabCut measured then, by its names.
        conditions: which model's poses were its conditions, as the config says; empty if it needs
            none.
        project: root of its project, or None.
        notes: what differs from the original in training.
    """

    checkpoint: Path
    detector: Path | None
    net_type: str
    method: str
    scorer: str
    info: DatasetInfo
    heads: list[str]
    source: str
    epoch: int | None = None
    measured: dict[str, float] = field(default_factory=dict)
    conditions: str = ""
    project: Path | None = None
    notes: list[str] = field(default_factory=list)


def import_deeplabcut(
    model: str | Path | None = None,
    out: str | Path | None = None,
    *,
    project: str | Path | None = None,
    shuffle: int = 1,
    trainingset_index: int = 0,
    modelprefix: str = "",
    snapshot: str | int | None = None,
    detector_snapshot: str | int | None = None,
) -> Imported:
    """Turn a model of DeepLabCut 3 into a checkpoint that predicts the same.

    Images are resized, cut out and padded, outputs read and animals put together as DeepLabCut
    does, by options that the written config names. Nothing is changed in the model's folder.

    Args:
        model: a model folder, a snapshot in it, or a file of ``exported-models-pytorch``; None:
            the model of `project` and `shuffle`.
        out: the checkpoint to write; by default named by DeepLabCut's scorer, in this folder. A
            detector is written beside it.
        project: root of a DeepLabCut project.
        shuffle: number of the shuffle.
        trainingset_index: which of the project's ``TrainingFraction``.
        modelprefix: folder of the models within the project.
        snapshot: name, uid or index as DeepLabCut counts; None: the best one, or the last.
        detector_snapshot: likewise, of the detector.

    Raises:
        CheckpointError: there is no such model, or its weights do not fit its config.
        ConfigError: all that is not known here of its config, each with its place.
        ProjectError: the project cannot be read.
    """
    found = find(
        model, project, shuffle, trainingset_index, modelprefix, snapshot, detector_snapshot
    )
    config = Section(found.config)
    method = str(config.get("method", "bu")).lower()
    if method not in _METHODS:
        config.wrong("method", f"{method!r} is not known. Known: {', '.join(_METHODS)}")
    net = str(config.get("net_type", "unknown"))
    scorer = _scorer(net, found)
    info = _info(config, found, method)
    plan = _pose_plan(config, found, method, info)
    boxes = detectors.plan(config, found, info) if method == "td" else None
    conditions = _conditions(config) if method == "ctd" else ""
    config.ignore(
        "config_version", "device", "logger", "with_center_keypoints", "resume_training_from",
        "inference", "detector",
    )  # fmt: skip
    config.close()
    config.settle()
    out = Path(out) if out is not None else Path(f"{scorer}.pth")
    metadata, state = _tensors(found.pose)
    names = pose_state(state, plan.body, plan.tops, found.place)
    header = {"meta": {"scorer": scorer, "deeplabcut": _origin(net, found, metadata)}}
    header["split"] = _split(found)
    _write(out, plan.config, info, plan.image_size, names, found.place, header)
    detector = None
    if boxes is not None and found.detector is not None:
        detector = out.with_name(f"{out.stem}_detector.pth")
        _, state = _tensors(found.detector)
        whole = detectors.whole_images(info, config)
        _write(detector, boxes, whole, None, detector_state(state), found.place, header)
    return Imported(
        out, detector, net, method, scorer, info, list(plan.tops), found.place,
        epoch=metadata.get("epoch"), measured=_measured(metadata), conditions=conditions,
        project=found.project, notes=list(dict.fromkeys(config.notes)),
    )  # fmt: skip


@dataclass(frozen=True)
class _Plan:
    config: dict[str, Any]
    body: Body
    tops: dict[str, Top]
    image_size: tuple[int, int] | None


def _pose_plan(config: Section, found: Source, method: str, info: DatasetInfo) -> _Plan:
    model, data = config.section("model"), config.section("data")
    body = body_of(model)
    tops = heads_of(model, _stride(body))
    size = next((one.image_size for one in (body, *tops.values()) if one.image_size), None)
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
    shared = {
        "type": "PoseDataset",
        "project": {"root": place},
        **({"view": "instance"} if inputs.is_instance(method) else {}),
        "box_margin": float(data.number("bbox_margin", 20)),
    }
    tests = inputs.of_tests(data, method, size)
    parts = {
        "train": {**shared, "mode": "train", "transform": inputs.of_training(data, method, size)},
        "test": {**shared, "mode": "test", "transform": tests},
    }
    data.close()
    split = split_file(found)
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
    return _Plan(whole, body, tops, size)


def _stride(body: Body) -> int:
    backbone = body.backbone
    while isinstance(backbone.get("backbone"), Mapping):
        backbone = backbone["backbone"]
    return {"HRNet": 4, "CSPNeXt": 32}.get(backbone["type"]) or int(backbone["output_stride"])


def _info(config: Section, found: Source, method: str) -> DatasetInfo:
    metadata = config.section("metadata")
    names = tuple(map(str, metadata.need("bodyparts", ["unknown"])))
    individuals = tuple(map(str, metadata.get("individuals", ["individual_1"])))
    unique = tuple(map(str, metadata.get("unique_bodyparts", [])))
    with_identity = bool(metadata.get("with_identity", metadata.get("identity", False)))
    metadata.ignore("project_path", "pose_config_path")
    metadata.close()
    pairs = found.settings.get("skeleton") or []
    known = [tuple(map(str, pair)) for pair in pairs if isinstance(pair, list) and len(pair) == 2]
    return DatasetInfo(
        keypoint_names=names,
        skeleton=tuple(
            (names.index(a), names.index(b)) for a, b in known if a in names and b in names
        ),
        flip_pairs=find_flip_pairs(names),
        num_individuals=len(individuals) if method == "bu" else 1,
        sigmas=chosen_sigmas(None, len(names)),
        individuals=individuals,
        identified=with_identity,
        unique=unique_info(unique),
    )


def _conditions(config: Section) -> str:
    """Return which model's poses are the conditions, as far as the config says so."""
    conditions = config.section("inference").get("conditions")
    if not isinstance(conditions, Mapping):
        return "" if conditions is None else str(conditions)
    if conditions.get("shuffle") is not None:
        return f"shuffle {conditions['shuffle']}"
    return str(conditions.get("snapshot_path") or conditions.get("filepath") or "")


def _tensors(source: Snapshot | dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if isinstance(source, Snapshot):
        state, metadata = read_snapshot(source.path)
        return metadata, state
    return {}, source


def _write(
    out: Path,
    config: Mapping[str, Any],
    info: DatasetInfo,
    size: tuple[int, int] | None,
    state: Mapping[str, Tensor],
    source: str,
    header: Mapping[str, Any],
) -> None:
    """Write a checkpoint, once its weights are known to fit, and its config beside it."""
    wired = {**info.wiring(), **({"input_size": size} if size else {})}
    with torch.random.fork_rng(devices=[]):
        model: nn.Module = build_model(config["model"], pretrained=False, **wired)
    load_state(model, state, name=source)
    content = {
        "config": portable(config),
        "info": portable(asdict(info)),
        "input_size": list(size) if size else None,
        "provenance": [asdict(part) for part in parts_of(model)],
        "dlcreg": own_version(),
        "torch": str(torch.__version__),
        "model": model.state_dict(),
        **header,
    }
    checkpoints.save(out, content)
    scorer = header["meta"]["scorer"]
    text = f"# {scorer}, of DeepLabCut: {source}\n" + python_text(config)
    write_text(out.with_suffix(".py"), text)


def _scorer(net: str, found: Source) -> str:
    """Return DeepLabCut's name for what a snapshot finds."""
    camel = "".join(part.capitalize() for part in net.split("_"))
    detector = f"detector_{found.detector_uid}_" if found.detector_uid else ""
    return f"DLC_{camel}_{found.label}_{detector}snapshot_{found.pose_uid}"


def _origin(net: str, found: Source, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "net_type": net,
        "snapshot": found.place,
        "epoch": metadata.get("epoch"),
        "metrics": _measured(metadata),
    }


def _measured(metadata: Mapping[str, Any]) -> dict[str, float]:
    values = metadata.get("metrics") or {}
    return {
        str(name).removeprefix("metrics/"): float(value)
        for name, value in values.items()
        if isinstance(value, (int, float))
    }


def _split(found: Source) -> dict[str, Any] | None:
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


__all__ = ["CheckpointError", "Imported", "import_deeplabcut"]
