"""A checkpoint, and nothing else, to a model that predicts: no data set is opened."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from dlcreg.builder import build_model
from dlcreg.builder.plan import PARTS
from dlcreg.config import ConfigTree, load_config
from dlcreg.contracts import Transform
from dlcreg.data.transforms.adapt import as_pipeline
from dlcreg.errors import CheckpointError, ConfigError, Problem
from dlcreg.inference.exported.loaded import is_exported, load_exported
from dlcreg.registry.recorded import check_recorded
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.solvers.evaluation import Evaluation
from dlcreg.structures import DatasetInfo

logger = logging.getLogger("dlcreg")

_MADE = ("provenance", "input_size", "dlcreg", "torch")


@dataclass(frozen=True)
class Trained:
    """A model with its weights, and what its config says of predicting with it.

    Args:
        model: on the CPU, in evaluation mode.
        config: what it was trained by.
        info: keypoints, skeleton and individuals of the training data.
        source: the checkpoint, for messages.
        scorer: name of what it finds in files of results, where the checkpoint has one of its own,
            such as an imported one; empty if not.
        made: what the checkpoint says of how it was made: versions, parts, the size of its images.
    """

    model: nn.Module
    config: ConfigTree
    info: DatasetInfo
    source: str
    scorer: str = ""
    made: Mapping[str, Any] = field(default_factory=dict)

    @property
    def part(self) -> str:
        """The part of the data by whose transforms a model is measured."""
        parts = (part for part in reversed(PARTS) if self.config.get(f"data.{part}") is not None)
        return next(parts, "train")

    @property
    def takes_instances(self) -> bool:
        """Whether the model sees one animal at a time, cut out of the image by its box."""
        return bool(self.config.get(f"data.{self.part}.view") == "instance")

    @cached_property
    def evaluation(self) -> Evaluation:
        """How the model is measured, but for metrics and proposals.

        Raises:
            ConfigError: mistakes in the section.
        """
        section = self.config.get("evaluation") or {}
        left_out = ("metrics", "proposals")
        try:
            return Evaluation(**{k: v for k, v in section.items() if k not in left_out})
        except (TypeError, ValueError) as error:
            raise ConfigError(self.config.placed(Problem("evaluation", f"{error}."))) from error

    @property
    def needs_condition(self) -> bool:
        """Whether the model looks at a pose that is known already."""
        return bool(getattr(self.model, "needs_condition", False))

    @property
    def box_margin(self) -> float:
        """Pixels between keypoints and the box that is made of them, as in the data set."""
        return float(self.config.get(f"data.{self.part}.box_margin", 10.0))

    def pipeline(self) -> Transform:
        """Return the transforms that an image goes through in a test.

        Raises:
            ConfigError, DataError: they cannot be built.
        """
        transform = self.config.get(f"data.{self.part}.transform")
        if self.part == "train" and transform is not None:
            logger.warning(
                "%s: its config has no test and no validation data: images go through the "
                "transforms of the training, which may be random",
                self.source,
            )
        return as_pipeline(transform, self.info)


def load_trained(
    checkpoint: str | Path, options: Sequence[str] | Mapping[str, Any] = ()
) -> Trained:
    """Return the model of a checkpoint, built from the config that it carries.

    Args:
        checkpoint: a ``.pth`` file of a training, or a file that was exported from one.
        options: values that replace those of the config, ``key.path=value`` or a mapping.

    Raises:
        CheckpointError: it cannot be read, carries no config, or does not fit the model.
        ConfigError: mistakes in the options.
        PluginError: packages that it was made with are not installed.
    """
    if is_exported(checkpoint):
        exported, tree, info = load_exported(checkpoint, options, _untrained)
        return Trained(exported, tree, info, str(checkpoint), exported.about.get("scorer", ""))
    state, tree, info = _read(checkpoint, options)
    check_recorded(state, tree.data, str(checkpoint))
    return _trained(state, tree, info, model_of(state, tree, info, str(checkpoint)), checkpoint)


def load_described(
    checkpoint: str | Path, options: Sequence[str] | Mapping[str, Any] = ()
) -> Trained:
    """Return what a checkpoint says of its model, with an empty module in the place of that.

    Args:
        checkpoint: see `load_trained`; of an exported file all is loaded.
        options: likewise.

    Raises:
        CheckpointError, ConfigError: see `load_trained`.
    """
    if is_exported(checkpoint):
        return load_trained(checkpoint, options)
    return _trained(*_read(checkpoint, options), nn.Identity(), checkpoint)


def _read(
    checkpoint: str | Path, options: Sequence[str] | Mapping[str, Any]
) -> tuple[Mapping[str, Any], ConfigTree, DatasetInfo]:
    """Return the state, the config and the keypoints of a checkpoint."""
    state = checkpoints.load(checkpoint)
    if not state.get("config") or not state.get("info"):
        raise CheckpointError(f"{checkpoint} carries no config, or no names of keypoints.")
    return state, load_config(state["config"], options), DatasetInfo.from_dict(state["info"])


def _trained(
    state: Mapping[str, Any],
    tree: ConfigTree,
    info: DatasetInfo,
    model: nn.Module,
    checkpoint: str | Path,
) -> Trained:
    scorer = str((state.get("meta") or {}).get("scorer", ""))
    made = {key: state[key] for key in _MADE if key in state}
    return Trained(model, tree, info, str(checkpoint), scorer, made)


def model_of(
    state: Mapping[str, Any], tree: ConfigTree, info: DatasetInfo, source: str
) -> nn.Module:
    """Return the model of a config with the weights of a checkpoint, in evaluation mode.

    Args:
        state: what `dlcreg.solvers.checkpoint.load` gives.
        tree: the config.
        info: of the data that the model is for.
        source: the checkpoint's name, for messages.

    Raises:
        ConfigError: mistakes in the model's config.
        CheckpointError: the weights do not fit.
    """
    model = _untrained(state, tree, info)
    checkpoints.load_weights(model, checkpoints.weights_of(state), source)
    return model.eval()


def _untrained(state: Mapping[str, Any], tree: ConfigTree, info: DatasetInfo) -> nn.Module:
    wired = info.wiring()
    if state.get("input_size"):  # some parts are made for the size that the training had
        wired["input_size"] = tuple(state["input_size"])
    return build_model(tree, pretrained=False, **wired)
