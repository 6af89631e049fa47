"""From a checkpoint to numbers and pictures."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcreg.apis.learning_curves import draw_learning_curves
from dlcreg.apis.parts import DETECTED, detected_parts, evaluated_parts
from dlcreg.apis.results import (
    Predictions,
    Result,
    draw_extremes,
    write_keypoint_table,
    write_metrics,
    write_predictions,
)
from dlcreg.apis.settings import ConfigSource, kept_split, read_config, split_of
from dlcreg.builder import build_data, build_evaluation
from dlcreg.config import ConfigTree
from dlcreg.config.dump import portable
from dlcreg.contracts import HasProposedPoses
from dlcreg.data.module import DataModule
from dlcreg.data.split import Split
from dlcreg.errors import CheckpointError
from dlcreg.files import write_text
from dlcreg.inference.checkpoint import model_of
from dlcreg.plugins import own_version
from dlcreg.registry.recorded import check_recorded
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.solvers.devices import choose_device
from dlcreg.solvers.evaluation import Evaluation, device_of, measure
from dlcreg.solvers.evaluation import evaluate as measure_dataset
from dlcreg.wiring import parts_of

logger = logging.getLogger("dlcreg")

PROVENANCE = "provenance.json"


def evaluate(
    config: ConfigSource | None,
    checkpoint: str | Path,
    *,
    options: Sequence[str] | Mapping[str, Any] = (),
    project: str | Path | None = None,
    split: str | Path | None = None,
    work_dir: str | Path | None = None,
    device: str | None = None,
    seed: int | None = None,
    amp: bool = False,
    proposals: str | Path | None = None,
) -> Result:
    """Measure a checkpoint on the train, the validation and the test part of the data.

    Writes ``evaluation/metrics.json``, ``per_keypoint.csv``, ``predictions_<part>.json`` (COCO
    results, which do for proposals of other models), ``predictions_<part>_unique.json`` of unique
    body parts, ``provenance.json`` and pictures of the best and the worst frames into the work dir;
    into ``evaluation_2`` and so on where the former hold numbers of another checkpoint, config or
    split. Each image is in the part in which
    it was in training, whatever was labelled since, unless `split` or the config says another
    split. Of a part whose samples are poses that another model proposed, these are measured, too.

    Args:
        config: a config; None for the one that the checkpoint carries.
        checkpoint: a ``.pth`` file of a training.
        options: values that replace those of the config, ``key.path=value`` or a mapping.
        project: root of a DeepLabCut project, for every data set.
        split: JSON file of a split.
        work_dir: where to write; by default the folder of the checkpoint.
        device: torch device; chosen by default.
        seed: the run's seed.
        amp: compute with bfloat16 autocast.
        proposals: for models of instance crops: JSON of COCO results, or a checkpoint of a detector
            or of a bottom-up model; each part is measured with these boxes, too.

    Returns:
        metrics in pixels of the original images, and the files.

    Raises:
        ConfigError: mistakes in the config.
        CheckpointError: the checkpoint cannot be read or does not fit the model.
        PluginError: packages that the checkpoint was made with are not installed.
        ProjectError, DataError: the data cannot be read.
    """
    checkpoint = Path(checkpoint)
    state = checkpoints.load(checkpoint)
    work_dir = Path(work_dir) if work_dir is not None else checkpoint.parent
    if config is None and not state.get("config"):
        raise CheckpointError(f"{checkpoint} carries no config: give one that fits it.")
    tree = read_config(
        config if config is not None else state["config"],
        options,
        project=project,
        split=split,
        work_dir=work_dir,
        seed=seed,
        amp=amp,
    )
    if proposals is not None:
        tree.set("evaluation.proposals", str(proposals), source="--proposals")
    check_recorded(state, tree.data, str(checkpoint))
    data = build_data(tree, split=kept_split(tree, state))
    _compare_keypoints(state, data, checkpoint)
    _tell_of_known_images(state, data, checkpoint)
    model = model_of(state, tree, data.info, str(checkpoint))
    model.to(choose_device(device or tree.get("solver.device")))
    folder = evaluation_folder(work_dir, tree, data, checkpoint)
    return evaluate_model(tree, model, data, checkpoint, folder)


def evaluate_model(
    tree: ConfigTree, model: nn.Module, data: DataModule, checkpoint: Path, folder: Path
) -> Result:
    """Measure a built model on the device that it is on, and write the results; see `evaluate`.

    Args:
        tree: the config.
        model: with its weights.
        data: what it is measured on.
        checkpoint: where its weights are from.
        folder: where the results go, in the work dir.
    """
    settings: Evaluation = build_evaluation(tree, model, **data.info.wiring())
    precision, work_dir = tree.get("solver.precision", "fp32"), folder.parent
    # first, so that an evaluation that is cut short is known for what it is
    measured = measured_things(tree, data, checkpoint, work_dir)
    write_text(folder / PROVENANCE, provenance(tree, model, data, settings, measured=measured))
    metrics: dict[str, dict[str, Any]] = {}
    predictions: dict[str, Predictions] = {}
    parts = evaluated_parts(data)
    parts |= detected_parts(settings.proposals, parts, device_of(model))
    for name, dataset in parts.items():
        found: list[Any] = []
        metrics[name] = measure_dataset(
            model,
            data.loader(dataset, settings.batch_size, pin_memory=device_of(model).type == "cuda"),
            settings.metrics or [],
            precision=precision,
            flip_test=settings.flip_test,
            scales=settings.scales,
            refinements=settings.refinements,
            score_threshold=settings.score_threshold,
            nms=settings.nms,
            keypoint_scores=settings.keypoint_scores,
            predictions=found,
        )
        if name.endswith(DETECTED):
            metrics[name]["proposals"] = str(settings.proposals)
        predictions[name] = found
        write_predictions(folder, name, dataset, found)
        proposed = dataset.proposed_poses() if isinstance(dataset, HasProposedPoses) else None
        if proposed is not None:
            metrics[f"{name.removesuffix(DETECTED)}_proposals"] = measure(
                proposed, dataset, settings.metrics or []
            )
    write_metrics(folder, {part: _tabled(values) for part, values in metrics.items()})
    write_keypoint_table(folder, metrics)
    pictures = _curves(work_dir)
    last = "test" if data.test else "val" if data.val else "train"
    for name in [name for name in (last, last + DETECTED) if name in parts]:
        pictures += draw_extremes(
            folder, name, parts[name], predictions[name], settings.pictures, settings.pcutoff
        )
    return Result(metrics, work_dir, checkpoint, pictures, folder=folder)


def provenance(tree: ConfigTree, *objects: Any, **more: Any) -> str:
    """Return as JSON what a result is made of: versions, config, the origin of every part, more."""
    content = {
        "dlcreg": own_version(),
        "torch": str(torch.__version__),
        "parts": [asdict(part) for part in parts_of(*objects)],
        "config": portable(tree.data),
        **more,
    }
    return json.dumps(content, indent=2, default=str) + "\n"


def measured_things(
    tree: ConfigTree, data: DataModule, checkpoint: Path, work_dir: Path
) -> dict[str, Any]:
    """Return what the numbers of an evaluation depend on, as plain values; the device is none."""
    config, split = portable(tree.data), getattr(data.train, "split", None)
    solver = config.get("solver") or {}
    near = checkpoint.resolve().parent == work_dir.resolve()  # a work dir may be moved
    return {
        "checkpoint": checkpoint.name if near else str(checkpoint.resolve()),
        "model": config.get("model"),
        "data": {key: value for key, value in config["data"].items() if key != "split"},
        "split": portable(asdict(split)) if isinstance(split, Split) else None,
        "evaluation": config.get("evaluation"),
        "solver": {key: solver.get(key) for key in ("metrics", "precision")},
    }


def evaluation_folder(work_dir: Path, tree: ConfigTree, data: DataModule, checkpoint: Path) -> Path:
    """Return the first of ``evaluation``, ``evaluation_2``, ... without numbers of something else.

    Args:
        work_dir: where it is.
        tree: the config.
        data: what is measured on.
        checkpoint: what is measured.
    """
    measured = measured_things(tree, data, checkpoint, work_dir)
    names = (f"evaluation_{number}" if number > 1 else "evaluation" for number in count(1))
    folders = (work_dir / name for name in names)
    return next(f for f in folders if not f.exists() or _known_of(f) == measured)


def _known_of(folder: Path) -> Any:
    """Return what was measured in a folder; None where it does not say so."""
    try:
        return json.loads((folder / PROVENANCE).read_text(encoding="utf-8")).get("measured")
    except (OSError, ValueError, AttributeError):
        return None


def _tabled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values without the scalars ``name@x`` that stand in the table ``name``, too."""

    def is_repeated(key: str) -> bool:
        name, _, row = key.partition("@")
        table = values.get(name)
        return isinstance(table, Mapping) and row in table

    return {key: value for key, value in values.items() if not is_repeated(key)}


def _compare_keypoints(state: Mapping[str, Any], data: DataModule, checkpoint: Path) -> None:
    """Say that the keypoints have other names than in training, if they have."""
    trained = (state.get("info") or {}).get("keypoint_names") or []
    names = list(data.info.keypoint_names)
    if len(trained) == len(names) and trained != names:
        logger.warning(
            "%s was trained on the keypoints %s; here they are %s, taken in this order",
            checkpoint,
            ", ".join(trained),
            ", ".join(names),
        )


def _tell_of_known_images(state: Mapping[str, Any], data: DataModule, checkpoint: Path) -> None:
    """Say that the test part holds images that the training has seen, if it does."""
    trained, now = split_of(state), getattr(data.test, "split", None)
    if trained is None or not isinstance(now, Split):
        return
    known = sorted({*trained.train, *trained.val}.intersection(now.test))
    if known:
        logger.warning(
            "%d of the %d images of the test part, by their names, were trained on, or chose %s "
            "(such as %s): the test's numbers are too good. The split of the training is in "
            "split.json of its work dir (--split)",
            len(known),
            len(now.test),
            checkpoint,
            known[0],
        )


def _curves(work_dir: Path) -> list[Path]:
    table = work_dir / "metrics.csv"
    if not table.is_file():
        return []
    return [draw_learning_curves(work_dir / "learning_curves.png", table)]
