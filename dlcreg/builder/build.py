"""From configs to models, data sets and solvers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcreg.builder.misfits import tests_missing
from dlcreg.builder.plan import PARTS, Plan
from dlcreg.builder.sections import SECTIONS, VALUES
from dlcreg.config import ConfigTree, load_config
from dlcreg.config.dump import portable
from dlcreg.contracts import Dataset
from dlcreg.data.split import Split
from dlcreg.errors import ConfigError, Problem
from dlcreg.registry import DATASETS
from dlcreg.wiring import construct, parts_of

Config = str | Path | Mapping[str, Any] | ConfigTree
"""A file, a dict or a loaded config."""


@dataclass(frozen=True)
class Graph:
    """Everything that a config describes, built.

    Args:
        model: with its weights.
        data: the data module, with ``train``, ``val`` and ``test``.
        solver: ready for ``fit``.
        config: what it was built from.
    """

    model: nn.Module
    data: Any
    solver: Any
    config: ConfigTree


def check(cfg: Config, *, open_data: bool = True) -> list[Problem]:
    """Return all mistakes of a config, each with its place; nothing is trained or written.

    Args:
        cfg: the whole config.
        open_data: read the data sets, too; without them the model is tried on stand-ins.

    Raises:
        ConfigError: the file itself cannot be read.
    """
    return examine(cfg, open_data=open_data).placed()


def examine(cfg: Config, *, open_data: bool = True) -> Plan:
    """Return all that is known of a config short of building it, with its mistakes; see `check`."""
    plan = Plan(load_config(cfg)).check()
    if open_data:
        plan.open_data()
    else:
        plan.rehearse_transforms()
    return plan.rehearse(plan.trace_model(), without_data=not open_data)


def build(cfg: Config, *, split: Split | None = None) -> Graph:
    """Return model, data and solver of a whole config.

    Args:
        cfg: the whole config.
        split: counts instead of ``data.split``, such as that of a run which goes on.

    Raises:
        ConfigError: all mistakes of the config.
    """
    tree = load_config(cfg)
    plan = Plan(tree, split=split).check().open_data()
    plan.rehearse(plan.trace_model())
    plan.settle()
    model = _seeded_model(plan)
    return Graph(model, plan.data, _solver(plan, model), tree)


def build_model(cfg: Config, *, pretrained: bool = True, **wired: Any) -> nn.Module:
    """Return the model of a config as an ordinary module.

    >>> model = build_model(
    ...     dict(
    ...         backbone=dict(type="ResNet", depth=18),
    ...         head=dict(
    ...             type="HeatmapHead",
    ...             codec=dict(type="GaussianHeatmap"),
    ...             losses=dict(heatmap=dict(type="MSELoss")),
    ...         ),
    ...     ),
    ...     num_keypoints=4,
    ... )
    >>> model.head.final_layer.out_channels
    4

    Args:
        cfg: the model's dict, or a whole config, whose data is read for its keypoints where
            `wired` says nothing of them.
        pretrained: load the weights that the config names; False where others follow.
        **wired: values by parameter name, such as ``num_keypoints``.

    Raises:
        ConfigError: all mistakes of the config.
    """
    tree = load_config(cfg)
    if not _is_whole(tree):
        tree = _below(tree, "model")
    plan = Plan(tree, wired=wired, stand_in="data" in tree.data)
    if "num_keypoints" not in wired and "data" in tree.data:
        plan.check("model", "data").open_data()
    else:
        plan.check("model")
    plan.trace_model(pretrained)
    plan.settle()
    if "solver" in tree.data:
        return _seeded_model(plan, pretrained)
    return plan.build_model(pretrained)


def build_dataset(cfg: Config, mode: str = "train", **wired: Any) -> Dataset:
    """Return a data set.

    Args:
        cfg: the data set's dict, or a whole config.
        mode: which data set of a whole config: ``train``, ``val`` or ``test``.
        **wired: values by parameter name, such as ``seed`` and ``split``.

    Raises:
        ConfigError: all mistakes of its config, and why the data cannot be read.
    """
    tree = load_config(cfg)
    whole = _is_whole(tree)
    path = f"data.{mode}" if whole else ""
    part = tree.get(path) if whole else tree.data
    context = {**(Plan(tree).data_context() if whole else {}), **wired}
    if not isinstance(part, Mapping):
        known = ", ".join(m for m in PARTS if isinstance(tree.get(f"data.{m}"), Mapping))
        raise ConfigError(tree.placed(Problem("data", f"has no {mode!r}. It has: {known}.")))
    try:
        return construct(DATASETS, part, context, path)  # type: ignore[no-any-return]
    except ConfigError as error:
        raise ConfigError([tree.placed(problem) for problem in error.problems]) from error


def build_data(cfg: Config, *, split: Split | None = None) -> Any:
    """Return the data module of a whole config, with its data sets.

    Args:
        cfg: the whole config.
        split: counts instead of ``data.split``.

    Raises:
        ConfigError: all mistakes of the section, and why the data cannot be read.
    """
    plan = Plan(load_config(cfg), split=split).check("data")
    if not plan.problems:
        plan.data = plan.build("data", plan.data_context())
    plan.settle()
    return plan.data


def build_evaluation(cfg: Config, model: nn.Module | None = None, **wired: Any) -> Any:
    """Return how a whole config measures a finished model.

    Args:
        cfg: the whole config; where ``evaluation`` names no metrics, those of the solver count.
        model: what is measured, if it is known: it must be able to do what is asked of it.
        **wired: values by parameter name, such as ``num_keypoints``.

    Raises:
        ConfigError: all mistakes of the section.
    """
    tree = load_config(cfg)
    metrics = tree.get("solver.metrics")
    trains = tree.data.get("solver") is not None
    plan = Plan(tree).check("evaluation", *(["solver"] if trains else []))
    if not plan.problems:
        section = dict(tree.data.get("evaluation") or {})
        if tree.get("evaluation.metrics") is None and metrics is not None:
            section["metrics"] = metrics
        plan.data = plan.build("evaluation", wired, section)
        if plan.data is not None and model is not None:
            plan.problems += tests_missing(plan.data, dict(model.named_modules()))
    plan.settle()
    return plan.data


def build_solver(
    cfg: Config,
    model: nn.Module | None = None,
    data: Any = None,
    work_dir: str | Path | None = None,
) -> Any:
    """Return a solver, ready for ``fit``.

    Args:
        cfg: a whole config.
        model: what to train; None: the config's.
        data: a data module; None: the config's.
        work_dir: folder of the run; None: the config's.

    Raises:
        ConfigError: all mistakes of the config.
    """
    tree = load_config(cfg)
    if work_dir is not None:
        tree.set("work_dir", str(work_dir), "work_dir=")
    needed = [name for name, given in (("model", model), ("data", data)) if given is None]
    plan = Plan(tree).check(*needed, "solver")
    if data is None:
        plan.open_data()
    else:
        plan.data, plan.info = data, data.info
    if model is None:
        plan.rehearse(plan.trace_model())
    plan.settle()
    return _solver(plan, _seeded_model(plan) if model is None else model)


def _solver(plan: Plan, model: nn.Module) -> Any:
    info, split = plan.info, getattr(plan.data.train, "split", None)
    given = plan.solver_parts(model)
    given["metadata"] = {
        "config": portable(plan.tree.data),
        "provenance": [asdict(part) for part in parts_of(model, plan.data)],
        "info": portable(asdict(info)) if info is not None else {},
        "input_size": None if plan.sample is None else list(plan.size),
        "split": portable(asdict(split)) if isinstance(split, Split) else None,
    }
    solver = plan.build("solver", info.wiring() if info is not None else {}, given=given)
    plan.settle()
    # optimizer, schedules, metrics and hooks are known only now
    found = [asdict(part) for part in parts_of(model, plan.data, solver)]
    solver.metadata["provenance"] = found
    return solver


def _seeded_model(plan: Plan, pretrained: bool = True) -> nn.Module:
    """Build the model from the run's seed; the caller's random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        return plan.build_model(pretrained)


def _is_whole(tree: ConfigTree) -> bool:
    return any(name in tree.data for name in (*SECTIONS, *VALUES))


def _below(tree: ConfigTree, name: str) -> ConfigTree:
    """Return the config of one section as a whole config."""
    origins = {(name, *path): origin for path, origin in tree.origins.items()}
    return ConfigTree({name: tree.data}, tree.filename, origins)
