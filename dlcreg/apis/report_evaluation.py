"""The report of an evaluation: what `dlcreg test` left, in one page."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context

from dlcreg.analysis.reliability import Cutoff, suggested_cutoff
from dlcreg.apis.evaluate import PROVENANCE
from dlcreg.apis.learning_curves import learning_curves
from dlcreg.apis.parts import evaluated_parts
from dlcreg.apis.pictures import draw_frames
from dlcreg.apis.report_charts import calibration, error_histogram, error_ranges, likelihoods
from dlcreg.apis.report_page import STYLE, Picture, Section, Table, photograph, svg
from dlcreg.apis.report_points import Points, points_of, taken_for
from dlcreg.apis.results import (
    Predictions,
    extremes,
    predictions_file,
    read_predictions,
    unique_names,
)
from dlcreg.apis.settings import read_config
from dlcreg.builder import build_data
from dlcreg.config import ConfigTree
from dlcreg.contracts import Dataset
from dlcreg.data.split import Split
from dlcreg.errors import DataError
from dlcreg.structures import DatasetInfo


def evaluation_sections(
    folder: Path, *, project: str | Path | None = None, right_within: float = 0.05, worst: int = 8
) -> tuple[str, list[Section]]:
    """Return what there is to say of an evaluation, as a line and sections.

    Args:
        folder: ``evaluation`` of a run.
        project: root of the project, if it is no longer where it was.
        right_within: see `dlcreg.apis.report.report`.
        worst: how many of the worst frames are shown.

    Raises:
        DataError: the folder holds no evaluation, or one without predictions.
        ConfigError, ProjectError: its data cannot be read.
    """
    known = _read(folder / PROVENANCE)
    metrics = _read(folder / "metrics.json")
    tree = read_config(known["config"], project=project)
    split = (known.get("measured") or {}).get("split")
    data = build_data(tree, split=Split(**split) if split else None)
    parts = {
        name: dataset
        for name, dataset in evaluated_parts(data).items()
        if predictions_file(folder, name).is_file()
    }
    if not parts:
        raise DataError(
            f"there are no predictions in {folder}: evaluate once more, dlcreg test CHECKPOINT"
        )
    found = {name: read_predictions(folder, name, dataset) for name, dataset in parts.items()}
    points = {name: points_of(dataset, found[name]) for name, dataset in parts.items()}
    info = data.info
    last = list(parts)[-1]
    names = info.keypoint_names
    if any(poses.unique is not None for some in found.values() for _, poses in some):
        names += unique_names(info)
    cutoffs = _cutoffs(points[last], len(names), right_within)
    checkpoint = (known.get("measured") or {}).get("checkpoint", "")
    images = ", ".join(f"{len(found[name])} {name}" for name in parts)
    lead = f"{checkpoint}, images: {images}; made with dlcreg {known['dlcreg']}"
    pcutoff = float(tree.get("evaluation.pcutoff", 0.6))
    return lead, [
        _measures(metrics),
        _errors(points, names, info),
        *_identity(
            {name: taken_for(dataset, found[name]) for name, dataset in parts.items()}, info
        ),
        _trust(points, last, cutoffs, names, right_within),
        *_training(folder.parent),
        _worst(parts[last], last, found[last], worst, pcutoff),
        _origin(known, tree),
    ]


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return values
    except OSError as error:
        raise DataError(
            f"{path.parent} holds no evaluation: {path.name} is missing. dlcreg test CHECKPOINT "
            "makes one"
        ) from error
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}") from error


def _cutoffs(points: Points, keypoints: int, right_within: float) -> list[Cutoff | None]:
    cutoffs = []
    for k in range(keypoints):
        some = points.of((points.keypoints == k) & points.found)
        cutoffs.append(suggested_cutoff(some.scores, some.right(right_within)))
    return cutoffs


def _measures(metrics: Mapping[str, Mapping[str, Any]]) -> Section:
    names = dict.fromkeys(
        name
        for values in metrics.values()
        for name, value in values.items()
        if value is None or isinstance(value, (int, float))
    )
    rows = [[name, *(values.get(name) for values in metrics.values())] for name in names]
    return Section("Metrics", tables=[Table("by part of the data", ["metric", *metrics], rows)])


def _summary(points: Points) -> list[Any]:
    errors = points.errors[points.found]
    if not len(errors):
        return [len(points), 0.0, None, None, None]
    spread = np.percentile(errors, (50, 95))
    return [len(points), 100 * len(errors) / len(points), errors.mean(), *spread]


def _errors(points: Mapping[str, Points], names: Sequence[str], info: DatasetInfo) -> Section:
    columns = ["labelled", "found, %", "mean, px", "median", "95 %"]
    tables = []
    for part, one in points.items():
        rows = [[name, *_summary(one.of(one.keypoints == k))] for k, name in enumerate(names)]
        tables.append(Table(f"{part}: keypoints", ["keypoint", *columns], rows))
        known = [i for i in range(len(info.individuals)) if (one.animals == i).any()]
        if info.identified and len(known) > 1:
            rows = [[info.individuals[i], *_summary(one.of(one.animals == i))] for i in known]
            tables.append(Table(f"{part}: animals", ["animal", *columns], rows))
    text = "Distance of each labelled point from the prediction of its animal, in pixels of the "
    text += "original image."
    if len(names) > info.num_keypoints:
        text += " The last keypoints are unique body parts, which belong to no animal: "
        text += ", ".join(names[info.num_keypoints :]) + "."
        text += " Where an animal's size counts, theirs is that of the largest one of the image."
    return Section(
        "Errors",
        text,
        tables,
        [
            svg(error_histogram(points), "How the errors are spread", "errors"),
            svg(error_ranges(points, names), "Errors of each keypoint", "keypoints"),
        ],
    )


def _identity(tables: Mapping[str, np.ndarray | None], info: DatasetInfo) -> list[Section]:
    """Return who was taken for whom, where the model says who is who."""
    shown = []
    for part, counts in tables.items():
        if counts is None:
            continue
        found = slice(None) if counts[:, -1].any() else slice(-1)
        columns = [*info.individuals, "none of them"][found]
        rows = [
            [name, *row[found].tolist(), 100 * float(row[i] / row.sum()) if row.any() else None]
            for i, (name, row) in enumerate(zip(info.individuals, counts, strict=True))
        ]
        right, total = int(counts.trace()), int(counts.sum())
        caption = f"{part}: {right} of {total} animals are right"
        caption += f", {100 * right / total:.1f} %" if total else ""
        shown.append(Table(caption, ["labelled", *columns, "right, %"], rows))
    text = "Who the animals that were found are: a row for each labelled individual, a column for "
    text += "each that it was taken for."
    return [Section("Identity", text, shown)] if shown else []


def _trust(
    points: Mapping[str, Points],
    part: str,
    cutoffs: Sequence[Cutoff | None],
    names: Sequence[str],
    right_within: float,
) -> Section:
    rows = [
        [name, one and one.value, one and 100 * one.kept, one and 100 * one.right]
        for name, one in zip(names, cutoffs)
    ]
    columns = ["keypoint", "cut-off", "kept, %", "right of these, %"]
    return Section(
        "Likelihood",
        f"A point is right if it lies within {100 * right_within:g} % of its animal's size from "
        "the label. Where likelihoods are calibrated, the curve follows the dashed line. The "
        "cut-off that is suggested is the one that best tells right points from wrong ones "
        "(Youden, 1950); it is as certain as there are points of both kinds.",
        [Table(f"suggested cut-offs, from the {part} part", columns, rows)],
        [
            svg(calibration(points, right_within), "What likelihoods are worth", "calibration"),
            svg(
                likelihoods(points[part], names, cutoffs, right_within),
                f"Likelihoods of the {part} part and the suggested cut-offs",
                "likelihoods",
            ),
        ],
    )


def _training(run: Path) -> list[Section]:
    table = run / "metrics.csv"
    if not table.is_file():
        return []
    with rc_context(STYLE):
        figure = learning_curves(table)
    picture = svg(figure, "Losses, measures and learning rate over the epochs", "curves")
    return [Section("Training", pictures=[picture])]


def _worst(
    dataset: Dataset, part: str, predictions: Predictions, count: int, pcutoff: float
) -> Section:
    frames = extremes(dataset, predictions, count)["worst"]
    pictures: list[Picture] = []
    with tempfile.TemporaryDirectory() as folder:
        for frame in frames:
            drawn = draw_frames(
                Path(folder) / "frame.png", [frame], dataset.info.keypoint_names, "", pcutoff,
                skeleton=dataset.info.skeleton, unique_names=unique_names(dataset.info),
            )  # fmt: skip
            pictures.append(photograph(drawn, frame.title))
    return Section(
        "Worst frames",
        f"Frames of the {part} part with missed animals or the largest mean errors. Crosses are "
        f"labels, dots are predictions, hollow below a likelihood of {pcutoff:g}; a thin line "
        "leads from each to its label.",
        pictures=pictures,
    )


def _origin(known: Mapping[str, Any], tree: ConfigTree) -> Section:
    parts = known.get("parts") or []
    rows = [[p["name"], p["registry"], p["distribution"], p["version"], p["target"]] for p in parts]
    columns = ["part", "kind", "package", "version", "from"]
    measured = {**(known.get("measured") or {})}
    versions = {key: known[key] for key in ("dlcreg", "torch") if key in known}
    return Section(
        "Origin",
        f"Checkpoint {measured.get('checkpoint', 'unknown')}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + ".",
        [Table("parts and the packages that they are from", columns, rows)],
        facts={
            "Config": json.dumps(known["config"], indent=2),
            "Split": json.dumps(measured.get("split"), indent=2),
        },
    )
