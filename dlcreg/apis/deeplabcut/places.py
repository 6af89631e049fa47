"""Where DeepLabCut 3 keeps its models: projects, shuffles, snapshots and exported files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcreg.config import ConfigTree, load_config
from dlcreg.data.project_config import read_config
from dlcreg.errors import CheckpointError, DlcregError, ProjectError

CONFIG = "pytorch_config.yaml"
POSE, DETECTOR = "snapshot", "snapshot-detector"
_FOLDER = re.compile(r"(?P<name>.+)-trainset(?P<percent>\d+)shuffle(?P<shuffle>\d+)")
_EXPORTED = re.compile(r"DLC_(?P<name>.+)_iteration-\d+_shuffle-(?P<shuffle>\d+)")


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a training.

    Args:
        uid: how DeepLabCut names it, such as ``190`` or ``best-190``.
        path: its file.
    """

    uid: str
    path: Path


@dataclass(frozen=True)
class Source:
    """A model of DeepLabCut.

    Args:
        config: its ``pytorch_config.yaml``.
        pose: the snapshot, or the tensors of an exported model by DeepLabCut's names.
        detector: likewise, of the detector; None where there is none.
        label: task, date and shuffle, as names of results have them.
        pose_uid: how DeepLabCut names the snapshot.
        detector_uid: likewise; empty where there is none.
        project: root of its project, if it is found.
        shuffle: the number of the shuffle, if it is known.
        percent: the share of training images that folders are named by, if it is known.
    """

    config: ConfigTree
    pose: Snapshot | dict[str, Tensor]
    detector: Snapshot | dict[str, Tensor] | None
    label: str
    pose_uid: str
    detector_uid: str = ""
    project: Path | None = None
    shuffle: int | None = None
    percent: int | None = None
    place: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def snapshots(folder: Path, prefix: str = POSE) -> list[Snapshot]:
    """Return the snapshots of a training, of fewer epochs first, and the best one last."""
    pattern = re.compile(rf"{re.escape(prefix)}(-best)?-(\d+)\.pt")
    found = [(m, path) for path in folder.iterdir() if (m := pattern.fullmatch(path.name))]
    found.sort(key=lambda pair: (bool(pair[0][1]), int(pair[0][2])))
    return [Snapshot(f"{'best-' if m[1] else ''}{int(m[2])}", path) for m, path in found]


def chosen(
    folder: Path, asked: str | int | None, prefix: str = POSE, default: int = -1
) -> Snapshot:
    """Return the snapshot that is asked for.

    Args:
        folder: of the training.
        asked: the name of a snapshot or its uid, such as ``best-190``; ``best``; or an index as
            DeepLabCut counts (-1: the best one, or the last where none is the best). None:
            `default`.
        prefix: of the names of files.
        default: an index.

    Raises:
        CheckpointError: there is none, or not that one.
    """
    known = snapshots(folder, prefix)
    if not known:
        raise CheckpointError(f"{folder} has no {prefix}-*.pt: was it trained?")
    asked = default if asked is None else asked
    stem = Path(str(asked)).name.removesuffix(".pt")
    if not isinstance(asked, int):
        fitting = [one for one in known if stem in (one.path.stem, one.uid)]
        if asked == "best":
            fitting = [one for one in known if one.uid.startswith("best")][-1:]
        if fitting:
            return fitting[0]
    if re.fullmatch(r"-?\d+", stem) and -len(known) <= int(stem) < len(known):
        return known[int(stem)]
    names = ", ".join(one.path.name for one in known)
    raise CheckpointError(f"{folder} has no snapshot {asked!r}. It has: {names}")


def find(
    model: str | Path | None,
    project: str | Path | None = None,
    shuffle: int = 1,
    trainingset_index: int = 0,
    modelprefix: str = "",
    snapshot: str | int | None = None,
    detector_snapshot: str | int | None = None,
) -> Source:
    """Return a model by its folder, a file in it, or project and shuffle.

    Args:
        model: a model folder (or its ``train``), its config, a snapshot, or an exported model;
            None: that of `project`.
        project: a DeepLabCut project.
        shuffle: number of the shuffle.
        trainingset_index: which of the project's ``TrainingFraction``.
        modelprefix: folder of the models within the project.
        snapshot: see `chosen`.
        detector_snapshot: likewise.

    Raises:
        CheckpointError: there is no such model or snapshot.
        ProjectError: the project cannot be read.
        ConfigError: the model's config cannot be read.
    """
    default = -1
    if model is None:
        if project is None:
            raise DlcregError("give the folder of a model, or --project with --shuffle")
        folder = model_folder(project, shuffle, trainingset_index, modelprefix)
        stated = read_config(_root(project)).get("snapshotindex")
        default = stated if isinstance(stated, int) else -1
    else:
        path = Path(model).expanduser()
        if path.suffix == ".pt":
            if not path.is_file():
                raise CheckpointError(f"there is no file {path}")
            if not (path.parent / CONFIG).is_file():
                return _exported(path, project)
            snapshot = path.name if snapshot is None else snapshot
        folder = path if path.is_dir() else path.parent
        if (folder / "config.yaml").is_file() and not (folder / CONFIG).is_file():
            raise CheckpointError(
                f"{folder} is a project: name the model by --project {folder} --shuffle N"
            )
    train = folder / "train" if (folder / "train" / CONFIG).is_file() else folder
    if not (train / CONFIG).is_file():
        raise CheckpointError(f"{folder} is no model of DeepLabCut 3: it has no {CONFIG}")
    config = load_config(train / CONFIG)
    pose = chosen(train, snapshot, config.get("runner.snapshot_prefix") or POSE, default)
    detector = None
    if config.get("method", "bu").lower() == "td" and snapshots(train, DETECTOR):
        detector = chosen(train, detector_snapshot, DETECTOR)
    home = train.parent if train.name == "train" else train
    root = _root(project) if project is not None else _project_of(home, config)
    named = _FOLDER.fullmatch(home.resolve().name)
    return Source(
        config,
        pose,
        detector,
        label=f"{named['name']}shuffle{named['shuffle']}" if named else home.resolve().name,
        pose_uid=pose.uid,
        detector_uid=detector.uid if detector else "",
        project=root,
        shuffle=int(named["shuffle"]) if named else None,
        percent=int(named["percent"]) if named else None,
        place=str(pose.path),
        settings=_settings(root),
    )


def model_folder(
    project: str | Path, shuffle: int, trainingset_index: int = 0, modelprefix: str = ""
) -> Path:
    """Return where a project keeps the model of a shuffle.

    Raises:
        CheckpointError: there is no such folder; those that are there are named.
        ProjectError: the project cannot be read.
    """
    root = _root(project)
    config = read_config(root)
    fractions = config.get("TrainingFraction") or [0.95]
    if not 0 <= trainingset_index < len(fractions):
        raise ProjectError(
            f"{root / 'config.yaml'} has {len(fractions)} TrainingFraction, no number "
            f"{trainingset_index}"
        )
    models = root / modelprefix / "dlc-models-pytorch" / f"iteration-{config.get('iteration', 0)}"
    name = f"{config.get('Task', '')}{config.get('date', '')}"
    # cut off, not rounded, as in DeepLabCut: 0.58 is 57
    folder = models / f"{name}-trainset{int(fractions[trainingset_index] * 100)}shuffle{shuffle}"
    if not folder.is_dir():
        there = sorted(path.name for path in models.glob("*shuffle*")) if models.is_dir() else []
        hint = f" There: {', '.join(there)}" if there else " Nothing was trained there"
        raise CheckpointError(f"there is no model {folder}.{hint}")
    return folder


def split_file(source: Source) -> Path | None:
    """Return the file in which the project keeps the split of a model, if it is there."""
    if source.project is None or source.shuffle is None or source.percent is None:
        return None
    task = source.settings.get("Task", "")
    folder = source.project / "training-datasets" / f"iteration-{source.settings.get('iteration')}"
    name = f"Documentation_data-{task}_{source.percent}shuffle{source.shuffle}.pickle"
    return next(folder.glob(f"*/{name}"), None) if folder.is_dir() else None


def _exported(path: Path, project: str | Path | None) -> Source:
    """Return a model that DeepLabCut's ``export_model`` wrote."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path} cannot be read as an exported model: {error}") from error
    if not isinstance(content, Mapping) or not {"config", "pose"} <= set(content):
        raise CheckpointError(
            f"{path} is no exported model of DeepLabCut, which has 'config' and 'pose', and no "
            f"snapshot beside its {CONFIG}"
        )
    tree = load_config(dict(content["config"]))
    tree.filename = path
    parts = path.stem.split("_snapshot-")
    uids = [part.removeprefix("detector") for part in parts[1:]]
    named = _EXPORTED.fullmatch(parts[0])
    root = None if project is None else _root(project)
    net = str(tree.get("net_type", ""))
    label = parts[0]
    if named:
        label = f"{named['name'].removesuffix(f'_{net}')}shuffle{named['shuffle']}"
    return Source(
        tree,
        dict(content["pose"]),
        dict(content["detector"]) if content.get("detector") else None,
        label=label,
        pose_uid=uids[-1] if uids else "exported",
        detector_uid=uids[0] if len(uids) > 1 else "",
        project=root,
        shuffle=int(named["shuffle"]) if named else None,
        place=str(path),
        settings=_settings(root),
    )


def _root(project: str | Path) -> Path:
    path = Path(project).expanduser()
    return path.parent if path.name == "config.yaml" else path


def _project_of(home: Path, config: ConfigTree) -> Path | None:
    """Return the project in which a model folder lies, or which its config names."""
    above = [parent for parent in home.resolve().parents if (parent / "config.yaml").is_file()]
    named = config.get("metadata.project_path")
    if named and (Path(named) / "config.yaml").is_file():
        above.append(Path(named))
    return above[0] if above else None


def _settings(root: Path | None) -> Mapping[str, Any]:
    if root is None:
        return {}
    try:
        return read_config(root)
    except ProjectError:  # the model does without it
        return {}
