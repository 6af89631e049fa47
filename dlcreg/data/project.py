"""A DeepLabCut project: its configuration and its labels, read and never written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcreg.data.coco_export import coco_of
from dlcreg.data.labels import LabelTable, read_table
from dlcreg.data.project_config import listed_videos, names_of, read_config, skeleton_of
from dlcreg.data.split import Split, random_split
from dlcreg.errors import DataError, ProjectError

logger = logging.getLogger("dlcreg")

_UNIQUE = "single"  # DeepLabCut's individual that owns the unique body parts


class Project:
    """A DeepLabCut project, single- or multi-animal.

    Read are ``config.yaml`` and ``labeled-data/*/CollectedData_<scorer>.h5``, or ``.csv`` where
    there is no h5. Paths inside these files are not trusted: a project may have been made on
    another system and moved. Nothing is ever written into the project.

    Args:
        root: the project's folder, or its config.yaml.

    Attributes:
        root: folder of the project.
        config: contents of config.yaml.
        name: name of the folder.
        scorer: who labelled.
        multianimal: whether it is a multi-animal project.
        bodyparts: names along the K axis.
        unique_bodyparts: names of points that exist once, whatever the number of animals.
        individuals: names along the A axis; one entry in a single-animal project.
        skeleton: pairs of names; of those in config.yaml, the ones whose body parts exist.
        images: names such as ``labeled-data/mouse/img01.png``, sorted.
        keypoints: float64 ``(I, A, K, 2)`` x, y in pixels; NaN where nothing is labelled.
        unique_keypoints: float64 ``(I, U, 2)``, likewise.
        videos: names of the labelled videos, in the order of `images`.

    Raises:
        ProjectError: the project cannot be read; the text says which file and why.
    """

    def __init__(self, root: str | Path) -> None:
        if not isinstance(root, (str, PathLike)):
            raise ProjectError(f"a project is given by the path of its folder, not by {root!r}")
        root = Path(root).expanduser()
        self.root = root.parent if root.name == "config.yaml" else root
        self.config = read_config(self.root)
        self.name = self.root.resolve().name
        self.scorer = str(self.config["scorer"])
        self.multianimal = bool(self.config.get("multianimalproject"))
        key = "multianimalbodyparts" if self.multianimal else "bodyparts"
        self.bodyparts = names_of(self.config, key, self.root)
        self.unique_bodyparts: tuple[str, ...] = ()
        self.individuals: tuple[str, ...] = ("individual_1",)
        if self.multianimal:
            self.unique_bodyparts = names_of(self.config, "uniquebodyparts", self.root, empty=True)
            self.individuals = names_of(self.config, "individuals", self.root)
        self.skeleton = skeleton_of(self.config, self.bodyparts, self.root)
        labels = _read_labels(self)
        self.images = tuple(sorted(labels))
        arrays = [labels[name] for name in self.images]
        self.keypoints = np.stack([animals for animals, _ in arrays])
        self.unique_keypoints = np.stack([unique for _, unique in arrays])
        self.videos = tuple(dict.fromkeys(name.split("/")[-2] for name in self.images))

    def __repr__(self) -> str:
        return (
            f"Project({self.name}: {len(self.images)} images, {len(self.individuals)} "
            f"individuals, {len(self.bodyparts)} body parts)"
        )

    def path(self, image: str) -> Path:
        """Return the file of an image."""
        return self.root / image

    @cached_property
    def labelled(self) -> tuple[str, ...]:
        """Names of the images with at least one label."""
        some = np.isfinite(self.keypoints).any(axis=(1, 2, 3))
        some |= np.isfinite(self.unique_keypoints).any(axis=(1, 2))
        return tuple(name for name, is_some in zip(self.images, some, strict=True) if is_some)

    def train_test_split(
        self,
        train_fraction: float | None = None,
        seed: int = 42,
        val_fraction: float = 0.0,
        by: Literal["image", "video"] = "image",
    ) -> Split:
        """Return a random split of the labelled images; the same seed gives the same split.

        Args:
            train_fraction: share that is not for testing; the first of ``TrainingFraction`` in
                config.yaml by default, or 0.95.
            seed: of the draw.
            val_fraction: share of those that is set aside for validation.
            by: ``video`` keeps the images of a video together.

        Raises:
            DataError: a fraction or the seed is out of range or no number, or there are too few
                images or videos.
        """
        if train_fraction is None:
            stated = self.config.get("TrainingFraction")
            first = stated[0] if isinstance(stated, list) and stated else stated
            train_fraction = float(first) if isinstance(first, (int, float)) else 0.95
        if by not in ("image", "video"):
            raise DataError(f"by must be 'image' or 'video', not {by!r}")
        names = self.labelled
        if not names:
            raise DataError(f"{self.root} has no labelled images to split")
        groups = [name.split("/")[-2] for name in names] if by == "video" else None
        return random_split(names, train_fraction, seed, val_fraction, groups, self.name)

    def to_coco(self, images: Sequence[str] | None = None) -> dict[str, Any]:
        """Return a COCO keypoint data set, which pycocotools loads and JSON holds.

        ``file_name`` is relative to the project. Boxes and areas are the extent of the labelled
        keypoints. Labels outside their image are none. Unique body parts are a category of their
        own.

        Args:
            images: names of images; all by default.

        Raises:
            DataError: an image is not in the project, or cannot be read.
        """
        names = self.images if images is None else tuple(images)
        known = set(self.images)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise DataError(f"{self.name} has no labels for {unknown[0]}")
        return coco_of(self, names)


def _read_labels(project: Project) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    labels: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    source: dict[str, Path] = {}
    seen: set[str] = set()
    for path in _tables(project):
        table = read_table(path)
        seen |= {bodypart for _, bodypart, _ in table.columns}
        animals, unique = _arranged(project, table)
        for row, name in enumerate(_image_names(project, table)):
            found = animals[row], unique[row]
            earlier = labels.setdefault(name, found)
            first = source.setdefault(name, path)
            if not all(np.array_equal(a, b, True) for a, b in zip(earlier, found, strict=True)):
                where = "twice in" if first == path else f"in {first} and in"
                raise ProjectError(
                    f"{name} is labelled {where} {path}, with different labels; "
                    "remove the row that is wrong, or correct its folder"
                )
    if not labels:
        raise ProjectError(f"{project.root / 'labeled-data'} has label tables without a row")
    if not seen & {*project.bodyparts, *project.unique_bodyparts}:
        raise ProjectError(
            f"the body parts of {project.root / 'config.yaml'} "
            f"({', '.join(project.bodyparts)}) are in no label table. "
            f"The tables have: {', '.join(sorted(seen))}"
        )
    return labels


def _tables(project: Project) -> list[Path]:
    data = project.root / "labeled-data"
    if not data.is_dir():
        raise ProjectError(f"{project.root} has no folder labeled-data: nothing is labelled")
    found: dict[str, Path] = {}
    for suffix in ("h5", "csv"):
        for path in sorted(data.glob(f"*/CollectedData_{project.scorer}.{suffix}")):
            found.setdefault(path.parent.name, path)
    if not found:
        others = sorted(p.stem[14:] for p in data.glob("*/CollectedData_*.*") if p.is_file())
        hint = (
            f"its labels are by {others[0]!r}: set scorer: {others[0]} in config.yaml"
            if others
            else "label frames first"
        )
        raise ProjectError(
            f"{data} has no CollectedData_{project.scorer}.h5 or .csv in any folder; {hint}"
        )
    return _of_listed_videos(project, found)


def _of_listed_videos(project: Project, found: dict[str, Path]) -> list[Path]:
    """As DeepLabCut, leave out folders whose video the project no longer lists.

    A project that was moved, or made by a demo, may list no video that fits: then all count.
    """
    listed = listed_videos(project.config, project.root)
    kept = [path for folder, path in found.items() if folder in listed]
    left_out = sorted(set(found) - listed)
    if kept and left_out:
        logger.warning(
            "%s: labels in %s are left out, since video_sets in config.yaml does not list %s",
            project.name,
            ", ".join(f"labeled-data/{folder}" for folder in left_out),
            "it" if len(left_out) == 1 else "them",
        )
    return kept or list(found.values())


def _image_names(project: Project, table: LabelTable) -> list[str]:
    """Return names below the project's root.

    The image counts that a row names. Where it does not exist, the folder counts in which the
    table lies: the folder may have been renamed, and old tables have paths of another computer.
    """
    folder = table.path.parent.name
    names = []
    for row in table.rows:
        name = f"labeled-data/{folder}/{row.rpartition('/')[2]}"
        written = "/".join(row.split("/")[-3:])
        exists = written != name and project.path(written).is_file()
        names.append(written if exists else name)
    return names


def _arranged(project: Project, table: LabelTable) -> tuple[np.ndarray, np.ndarray]:
    """Return the table's values as ``(rows, A, K, 2)`` and, unique ones, ``(rows, U, 2)``."""
    if table.multianimal != project.multianimal:
        kinds = ("single-animal", "multi-animal")
        raise ProjectError(
            f"{table.path} is a {kinds[table.multianimal]} table, but config.yaml says "
            f"multianimalproject: {str(project.multianimal).lower()}; "
            "convert the one or correct the other"
        )
    rows = len(table.rows)
    animals = np.full((rows, len(project.individuals), len(project.bodyparts), 2), np.nan)
    unique = np.full((rows, len(project.unique_bodyparts), 2), np.nan)
    known = {*project.individuals, _UNIQUE}
    for column, (individual, bodypart, coord) in enumerate(table.columns):
        values, axis = table.values[:, column], "xy".index(coord)
        if individual == _UNIQUE and bodypart in project.unique_bodyparts:
            unique[:, project.unique_bodyparts.index(bodypart), axis] = values
        elif individual and individual not in known:
            if np.isfinite(values).any():
                raise ProjectError(
                    f"{table.path} has labels of individual {individual!r}, which config.yaml "
                    f"does not list under individuals: {', '.join(project.individuals)}"
                )
        elif individual != _UNIQUE and bodypart in project.bodyparts:
            who = project.individuals.index(individual) if individual else 0
            animals[:, who, project.bodyparts.index(bodypart), axis] = values
    for array in (animals, unique):  # half a label is none
        array[np.isnan(array).any(axis=-1)] = np.nan
    return animals, unique
