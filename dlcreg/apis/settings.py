"""A config, with what the command line or a caller says on top of it."""

from __future__ import annotations

import importlib.resources
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcreg.builder import build_data
from dlcreg.builder.plan import PARTS
from dlcreg.config import ConfigTree, load_config
from dlcreg.config.dump import portable
from dlcreg.data.split import Split
from dlcreg.errors import CheckpointError, DataError, DlcregError

logger = logging.getLogger("dlcreg")

ConfigSource = str | Path | Mapping[str, Any] | ConfigTree
"""A path to a .py, .yaml or .json config, a dict, or a loaded config."""


def default_config() -> Path:
    """Return the path of the commented default config that comes with dlcreg."""
    return Path(str(importlib.resources.files("dlcreg.apis") / "config.yaml"))


def read_config(
    config: ConfigSource | None,
    options: Sequence[str] | Mapping[str, Any] = (),
    *,
    project: str | Path | None = None,
    split: str | Path | None = None,
    work_dir: str | Path | None = None,
    seed: int | None = None,
    amp: bool = False,
) -> ConfigTree:
    """Load a config and set what the options say.

    Args:
        config: the config; None for dlcreg's default.
        options: ``key.path=value`` strings, or a mapping.
        project: root of a DeepLabCut project, for every data set.
        split: JSON file of a split, for every data set.
        work_dir: folder of the run.
        seed: the run's seed.
        amp: train with bfloat16 autocast.

    Raises:
        ConfigError: the config cannot be read.
    """
    tree = load_config(default_config() if config is None else config, options)
    data = tree.data.get("data")
    if project is not None and isinstance(data, dict):
        for part in PARTS:
            if isinstance(data.get(part), dict):
                tree.set(f"data.{part}.project", {"root": str(project)}, source="--project")
    if split is not None:
        tree.set("data.split", str(split), source="--split")
    if work_dir is not None:
        tree.set("work_dir", str(work_dir), source="--work-dir")
    if seed is not None:
        tree.set("solver.seed", int(seed), source="--seed")
    if amp:
        tree.set("solver.precision", "auto", source="--amp")
    return tree


def kept_split(tree: ConfigTree, checkpoint: Mapping[str, Any]) -> Split | None:
    """Return the split that a checkpoint was trained with, where its config would draw it anew.

    A draw falls out differently once more frames are labelled, or the run has another seed: images
    of the training would turn up among those of the test. Nothing is kept where the config names
    the file of a split, speaks of other data, or says expressly that it is to be drawn otherwise.
    Data of another name is the same data where it has every image of the split.

    Args:
        tree: the config of the run that goes on, or is measured.
        checkpoint: what `dlcreg.solvers.checkpoint.load` gives.

    Raises:
        CheckpointError: the split in the checkpoint is none.
    """
    split, data = split_of(checkpoint), tree.data.get("data")
    if split is None or not isinstance(data, Mapping):
        return None
    asked = data.get("split")
    if isinstance(asked, (str, Path)) and Path(asked).is_file():
        return None
    trained = checkpoint.get("config", {}).get("data") or {}
    parts = [data[part] for part in PARTS if isinstance(data.get(part), Mapping)]
    if any("split" in part for part in parts) or portable(asked) != trained.get("split"):
        return None
    if not all(_is_of(split, part) for part in parts):
        if not _has_images_of(split, tree):
            return None
        logger.warning(
            "the data has another name than in training (%s), but every image of its split: each "
            "stays in the part in which it was. Name the file of a split to divide them otherwise",
            split.project,
        )
    return split


def split_of(checkpoint: Mapping[str, Any]) -> Split | None:
    """Return the split that a checkpoint was trained with; None where it carries none.

    Raises:
        CheckpointError: the split in the checkpoint is none.
    """
    known = checkpoint.get("split")
    if not known:
        return None
    try:
        return Split(**known)
    except (TypeError, DataError) as error:
        raise CheckpointError(f"the split in the checkpoint cannot be read: {error}") from error


def _is_of(split: Split, dataset: Mapping[str, Any]) -> bool:
    """Whether a data set reads the project or the file that a split was made for."""
    project = dataset.get("project")
    place = project.get("root") if isinstance(project, Mapping) else project
    place = Path(str(place or dataset.get("annotation_file"))).expanduser().resolve()
    return split.project in (place.name, place.parent.name)


def _has_images_of(split: Split, tree: ConfigTree) -> bool:
    """Whether every data set of a config has all images of a split, by their names."""
    try:
        data = build_data(tree)
    except DlcregError:  # told, with all other mistakes, when the data is opened to be used
        return False
    drawn = [getattr(part, "split", None) for part in (data.train, data.val, data.test) if part]
    return all(isinstance(other, Split) and other.names >= split.names for other in drawn)


def work_dir_of(tree: ConfigTree) -> Path:
    """Return the run's folder: the config's `work_dir`, else ``work_dirs/<name of the config>``."""
    given = tree.data.get("work_dir")
    if given:
        return Path(given)
    return Path("work_dirs") / (tree.filename.stem if tree.filename else "run")
