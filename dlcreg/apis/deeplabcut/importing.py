"""A model of DeepLabCut 3 as a checkpoint of dlcreg, with its config inside and beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcreg.apis.deeplabcut import detectors
from dlcreg.apis.deeplabcut.facts import (
    conditions_of,
    info_of,
    measured_of,
    origin_of,
    scorer_of,
    split_of,
)
from dlcreg.apis.deeplabcut.places import Snapshot, find
from dlcreg.apis.deeplabcut.plans import pose_plan
from dlcreg.apis.deeplabcut.section import Section
from dlcreg.apis.deeplabcut.weights import detector_state, pose_state, read_snapshot
from dlcreg.builder import build_model
from dlcreg.config.dump import portable, python_text
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
    scorer = scorer_of(net, found)
    info = info_of(config, found, method)
    plan = pose_plan(config, found, method)
    boxes = detectors.plan(config, found, info) if method == "td" else None
    conditions = conditions_of(config) if method == "ctd" else ""
    config.ignore(
        "config_version", "device", "logger", "with_center_keypoints", "resume_training_from",
        "inference", "detector",
    )  # fmt: skip
    config.close()
    config.settle()
    out = Path(out) if out is not None else Path(f"{scorer}.pth")
    metadata, state = _tensors(found.pose)
    names = pose_state(state, plan.body, plan.tops, found.place)
    header: dict[str, Any] = {
        "meta": {"scorer": scorer, "deeplabcut": origin_of(net, found, metadata)}
    }
    header["split"] = split_of(found)
    _write(out, plan.config, info, plan.image_size, names, found.place, header)
    detector = None
    if boxes is not None and found.detector is not None:
        detector = out.with_name(f"{out.stem}_detector.pth")
        _, state = _tensors(found.detector)
        whole = detectors.whole_images(info, config)
        _write(detector, boxes, whole, None, detector_state(state), found.place, header)
    return Imported(
        out, detector, net, method, scorer, info, list(plan.tops), found.place,
        epoch=metadata.get("epoch"), measured=measured_of(metadata), conditions=conditions,
        project=found.project, notes=list(dict.fromkeys(config.notes)),
    )  # fmt: skip


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
