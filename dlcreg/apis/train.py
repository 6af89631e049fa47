"""From a config to a trained and evaluated model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from torch import nn

from dlcreg.apis.evaluate import evaluate_model, provenance
from dlcreg.apis.results import Result
from dlcreg.apis.settings import ConfigSource, kept_split, read_config, work_dir_of
from dlcreg.builder import Graph, build
from dlcreg.files import write_text
from dlcreg.models.weights import load_state
from dlcreg.registry.recorded import check_recorded
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.solvers.folder import load_latest

logger = logging.getLogger("dlcreg")


def train(
    config: ConfigSource | None = None,
    *,
    options: Sequence[str] | Mapping[str, Any] = (),
    project: str | Path | None = None,
    split: str | Path | None = None,
    work_dir: str | Path | None = None,
    weights: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str | None = None,
    seed: int | None = None,
    amp: bool = False,
) -> Result:
    """Train a model, evaluate it and draw the results.

    The work dir then holds the resolved config, the split, the provenance of all parts, log and
    metrics, checkpoints, learning curves and the evaluation.

    Args:
        config: path of a .py, .yaml or .json config, a dict, or None for dlcreg's default.
        options: values that replace those of the config, ``key.path=value`` or a mapping.
        project: root of a DeepLabCut project, for every data set.
        split: JSON file of a split, for every data set.
        work_dir: folder of the run; by default the config's, else ``work_dirs/NAME``.
        weights: a checkpoint whose weights the model starts from; layers of another shape, such as
            for other keypoints, start afresh.
        resume: go on from the newest checkpoint of the work dir, if there is one; each image
            stays in its part of the split, whatever was labelled since.
        overwrite: throw away an earlier run in the work dir.
        device: torch device, such as ``cuda:1``; chosen by default.
        seed: decides split, initialisation, order and augmentation.
        amp: train with bfloat16 autocast.

    Returns:
        metrics in pixels of the original images, and the files.

    Raises:
        ConfigError: all mistakes of the config at once.
        ProjectError, DataError: the data cannot be read.
        PluginError: packages that the run to go on with was made with are not installed.
        CheckpointError: the work dir holds another run, its checkpoint cannot be read, or
            `weights` are those of another model.
    """
    tree = read_config(
        config, options, project=project, split=split, work_dir=work_dir, seed=seed, amp=amp
    )
    folder = work_dir_of(tree)
    tree.set("work_dir", str(folder), source="work_dir")
    if device is not None:
        tree.set("solver.device", device, source="--device")
    earlier = load_latest(folder) if resume else None
    if earlier is not None:
        check_recorded(earlier[1], tree.data, str(earlier[0]))
    graph = build(tree, split=None if earlier is None else kept_split(tree, earlier[1]))
    if weights is not None and earlier is None:
        start_from(graph.model, weights)
    if earlier is not None:
        graph.solver.resume(earlier[0])
    graph.solver.hooks.append(_Identity(graph))
    result = graph.solver.fit(overwrite)
    state = checkpoints.load(result)
    checkpoints.load_weights(graph.model, checkpoints.weights_of(state), str(result))
    return evaluate_model(tree, graph.model, graph.data, result, folder / "evaluation")


def start_from(model: nn.Module, checkpoint: str | Path) -> None:
    """Put the weights of a checkpoint into a model that is to learn on.

    Layers that have another shape there keep their fresh weights, and are told.

    Args:
        model: is changed in place.
        checkpoint: of the same layers.

    Raises:
        CheckpointError: the file cannot be read, or is of a model of other layers.
    """
    state, own = checkpoints.weights_of(checkpoints.load(checkpoint)), model.state_dict()
    others = [name for name in own if name in state and state[name].shape != own[name].shape]
    load_state(model, state, name=str(checkpoint), new=others)
    if others:
        logger.warning(
            "%s: %d tensors have another shape here, and start afresh: %s",
            checkpoint,
            len(others),
            ", ".join(others[:5]) + (", ..." if len(others) > 5 else ""),
        )


class _Identity(Hook):
    """Writes what the run is made of: its config, the packages of its parts, its split.

    Once the run is known to start: one that cannot be resumed with another config keeps its own.
    """

    def __init__(self, graph: Graph) -> None:
        self._texts = {
            "config.py": graph.config.dump(),
            "provenance.json": provenance(graph.config, graph.model, graph.data, graph.solver),
        }
        self._split = getattr(graph.data.train, "split", None)

    def before_train(self, runner: Any) -> None:
        """Write the files."""
        if not runner.is_main:
            return
        for name, text in self._texts.items():
            write_text(runner.work_dir / name, text)
        if self._split is not None:
            self._split.save(runner.work_dir / "split.json")
