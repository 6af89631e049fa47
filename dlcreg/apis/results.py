"""What an evaluation leaves in the work dir: metrics, a table per keypoint, pictures."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.apis.pictures import Frame, draw_frames
from dlcreg.contracts import Dataset
from dlcreg.data.proposals import Proposals
from dlcreg.files import write_text
from dlcreg.solvers.metrics.box_matching import match_boxes
from dlcreg.solvers.metrics.matching import match
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses

Predictions = Sequence[tuple[Meta, Poses]]


@dataclass(frozen=True)
class Result:
    """What `dlcreg.apis.train` and `dlcreg.apis.evaluate` give.

    Args:
        metrics: by part of the data (``train``, ``val``, ``test``), as in ``metrics.json``.
        work_dir: folder of the run.
        checkpoint: the weights that were evaluated.
        pictures: PNG files to look at.
        project: the generated project, for the demo.
        folder: where in the work dir metrics and pictures are.
    """

    metrics: dict[str, dict[str, Any]]
    work_dir: Path
    checkpoint: Path
    pictures: list[Path] = field(default_factory=list)
    project: Path | None = None
    folder: Path | None = None


def write_metrics(folder: Path, metrics: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write ``metrics.json``; a value that is not a number, such as an empty mean, is null."""
    path = folder / "metrics.json"
    write_text(path, json.dumps(_finite(metrics), indent=2) + "\n")
    return path


def write_predictions(folder: Path, part: str, dataset: Dataset, predictions: Predictions) -> Path:
    """Write ``predictions_<part>.json``: COCO results with the ``file_name`` of each image.

    Unique body parts are the keypoints of another category: they stand in a file of their own,
    ``predictions_<part>_unique.json``, for a model that finds some.
    """
    path = predictions_file(folder, part)
    Proposals.from_poses(predictions).write(path, next(iter(dataset.category_ids), 1))
    found = [(meta, poses.unique) for meta, poses in predictions if poses.unique is not None]
    if found:
        category = max(dataset.category_ids, default=1) + 1
        Proposals.from_poses(found).write(predictions_file(folder, part, unique=True), category)
    return path


def predictions_file(folder: Path, part: str, *, unique: bool = False) -> Path:
    """Return where the predictions of a part of the data are: of animals, or unique body parts."""
    return folder / f"predictions_{part}{'_unique' if unique else ''}.json"


def read_predictions(folder: Path, part: str, dataset: Dataset) -> Predictions:
    """Return what `write_predictions` wrote, for each image of a part of the data.

    `Poses.unique` is None in all images, and `Poses.identities` likewise, for a model that does not
    find them, and for a file that is older than they are.

    Raises:
        DataError: a file is missing or damaged.
    """
    info, animals = dataset.info, Proposals.read(predictions_file(folder, part))
    path = predictions_file(folder, part, unique=True)
    unique = Proposals.read(path) if info.unique is not None and path.is_file() else None
    found = []
    for meta in dataset.image_metas():
        one = animals.of(meta.image_id, meta.path)
        poses = one.as_poses(info.num_keypoints)
        # the extent of keypoints is no box that the model found
        poses = replace(poses, boxes=None) if one.derived.all() else poses
        if unique is not None and info.unique is not None:
            parts = unique.of(meta.image_id, meta.path).as_poses(info.unique.num_keypoints)
            poses = replace(poses, unique=replace(parts, boxes=None))
        found.append((meta, poses))
    return found


def write_keypoint_table(folder: Path, metrics: Mapping[str, Mapping[str, Any]]) -> Path | None:
    """Write ``per_keypoint.csv``: a row for each part of the data and keypoint."""
    tables = {part: values.get("per_keypoint") for part, values in metrics.items()}
    rows = [
        {"part": part, "keypoint": name, **_scalars(values)}
        for part, table in tables.items()
        for name, values in (table or {}).items()
    ]
    if not rows:
        return None
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = folder / "per_keypoint.csv"
    write_text(path, text.getvalue())
    return path


def draw_extremes(
    folder: Path, part: str, dataset: Dataset, predictions: Predictions, count: int, pcutoff: float
) -> list[Path]:
    """Draw the best and the worst frames, see `extremes`.

    Args:
        folder: where ``test_best.png`` and ``test_worst.png`` go.
        part: part of the data, for names and titles.
        dataset: gives labels and images.
        predictions: poses with B = 1 in pixels of the original images.
        count: frames in each picture.
        pcutoff: likelihood below which a prediction is drawn hollow.
    """
    return [
        draw_frames(
            folder / f"{part}_{which}.png",
            frames,
            dataset.info.keypoint_names,
            f"{which} frames of the {part} part",
            pcutoff,
            skeleton=dataset.info.skeleton,
            unique_names=unique_names(dataset.info),
        )
        for which, frames in extremes(dataset, predictions, count).items()
        if frames
    ]


def unique_names(info: DatasetInfo) -> tuple[str, ...]:
    """Return the names of the unique body parts; none for data without."""
    return info.unique.keypoint_names if info.unique else ()


def extremes(dataset: Dataset, predictions: Predictions, count: int) -> dict[str, list[Frame]]:
    """Return the frames of the smallest and of the largest mean error, as ``best`` and ``worst``.

    The error is that of the keypoints; where boxes alone were found, what their overlap lacks of 1.
    A frame in which an animal was missed is worse than any other. No frame is among both.

    Args:
        dataset: gives labels and images.
        predictions: poses with B = 1 in pixels of the original images.
        count: largest number of frames of each kind.
    """
    compared = [_compare(dataset, meta, poses) for meta, poses in predictions]
    ranked = sorted((one for one in compared if one.pairs or one.missed), key=lambda one: one.rank)
    worst = ranked[::-1][: min(count, len(ranked) // 2)]
    best = ranked[: min(count, len(ranked) - len(worst))]
    return {
        "best": [_frame(dataset, one) for one in best],
        "worst": [_frame(dataset, one) for one in worst],
    }


@dataclass(frozen=True)
class _Compared:
    """The predictions of one image beside its labels.

    `pairs` and `missed` are as `match` has them, `words` says the error.
    """

    meta: Meta
    poses: Poses
    labels: Instances
    pairs: list[tuple[int, int]]
    missed: int
    error: float
    words: str

    @property
    def rank(self) -> tuple[int, float]:
        """What frames are sorted by."""
        return self.missed, self.error if math.isfinite(self.error) else math.inf


def _compare(dataset: Dataset, meta: Meta, poses: Poses) -> _Compared:
    labels = dataset.annotations(meta.image_id)
    if poses.boxes is not None and not poses.keypoints.isfinite().any():
        return _compare_boxes(meta, poses, labels)
    pairs, missed, _ = match(poses, labels, direct=dataset.info.num_individuals == 1)
    errors: list[float] = []
    for prediction, animal in pairs:
        seen = np.asarray(labels.visibility[animal]) > 0
        offsets = poses.keypoints[0, prediction].numpy() - np.asarray(labels.keypoints[animal])
        distances = np.linalg.norm(offsets, axis=-1)[seen]
        errors += distances[np.isfinite(distances)].tolist()
    error = float(np.mean(errors)) if errors else math.nan
    return _Compared(meta, poses, labels, pairs, missed, error, f"{error:.1f} px")


def _compare_boxes(meta: Meta, poses: Poses, labels: Instances) -> _Compared:
    triples, missed, _ = match_boxes(poses, labels)
    pairs = [(prediction, animal) for prediction, animal, _ in triples]
    overlap = float(np.mean([one for *_, one in triples])) if triples else math.nan
    return _Compared(meta, poses, labels, pairs, missed, 1 - overlap, f"IoU {overlap:.2f}")


def _frame(dataset: Dataset, one: _Compared) -> Frame:
    labels, path = one.labels, Path(one.meta.path)
    points = np.where(np.asarray(labels.visibility)[..., None] > 0, labels.keypoints, np.nan)
    title = f"{Path(path.parent.name) / path.name}: "
    title += one.words if math.isfinite(one.error) else "nothing found"
    if one.missed and one.pairs:
        title += f", {one.missed} missed"
    who = one.poses.identities
    taken_for = [] if who is None else [_name_of(dataset, i) for i in who[0].tolist()]
    return Frame(
        image=dataset.image(one.meta.image_id),
        labels=points,
        keypoints=one.poses.keypoints[0].numpy(),
        scores=one.poses.scores[0].numpy(),
        title=title,
        pairs=one.pairs,
        names=[
            _name_of(dataset, index) or f"{row + 1}"
            for row, index in enumerate(np.asarray(labels.ids).tolist())
        ],
        taken_for=taken_for,
        **_boxes(one),
        **_unique(dataset, one),
    )


def _boxes(one: _Compared) -> dict[str, np.ndarray]:
    """Return predicted and labelled boxes, where the model finds any."""
    if one.poses.boxes is None:
        return {}
    return {
        "boxes": one.poses.boxes[0].numpy(),
        "box_scores": one.poses.instance_scores[0].numpy(),
        "label_boxes": np.asarray(one.labels.boxes),
    }


def _name_of(dataset: Dataset, index: int) -> str:
    """Return the name of an individual; empty where it has none."""
    known = dataset.info.individuals
    return known[index] if 0 <= index < len(known) else ""


def _unique(dataset: Dataset, one: _Compared) -> dict[str, np.ndarray]:
    """Return the unique body parts of an image and the best prediction of them, for its `Frame`."""
    info, labels, found = dataset.info.unique, one.labels.unique, one.poses.unique
    if info is None or labels is None:
        return {}
    keypoints, scores = np.full((info.num_keypoints, 2), np.nan), np.zeros(info.num_keypoints)
    if found is not None and found.valid.any():
        best = int(found.instance_scores[0].argmax())
        keypoints, scores = found.keypoints[0, best].numpy(), found.scores[0, best].numpy()
    seen = np.asarray(labels.visibility[0])[:, None] > 0
    return {
        "unique_labels": np.where(seen, labels.keypoints[0], np.nan),
        "unique_keypoints": keypoints,
        "unique_scores": scores,
    }


def _scalars(values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        return {"value": values}
    return {name: value for name, value in values.items() if not isinstance(value, Mapping)}


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
