"""What can be found out about a config short of building it for real."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from dlcreg.builder.image_size import written_size
from dlcreg.builder.misfits import (
    conditions_missing,
    keypoints_missing,
    nothing_to_learn,
    sizes_refused,
    tests_missing,
)
from dlcreg.builder.sections import MODEL_TYPE, SECTIONS, check_sections, models
from dlcreg.builder.stand_ins import INFO, StandInLoader, guesses
from dlcreg.builder.written import written_parts
from dlcreg.config import ConfigTree
from dlcreg.config.options import SOURCE
from dlcreg.contracts import Metric
from dlcreg.errors import ConfigError, DlcregError, Problem
from dlcreg.registry import REGISTRIES
from dlcreg.schema.annotations import shape_of
from dlcreg.schema.check import WIRED
from dlcreg.schema.signature import signature_of
from dlcreg.solvers.evaluation import check_metrics
from dlcreg.structures import DatasetInfo, Sample
from dlcreg.trace import Traced, trace
from dlcreg.wiring.construct import BROKEN, Wiring, refusal
from dlcreg.wiring.held import Guess
from dlcreg.wiring.measure import SIZE

PARTS = ("train", "val", "test")
"""The data sets of a data module."""

_SEED = 42

LARGEST_SEED = 2**63 - 1
"""That torch takes; the solver refuses a larger one by its name."""


@dataclass
class Plan:
    """A config on its way to being built; collects problems from step to step.

    Args:
        tree: the config.
        problems: all that was found so far.
        data: the data module, once `open_data` has built it.
        info: its keypoints, or those that the caller gave.
        wired: values by parameter name that the caller gave.
        stand_in: try the model on keypoints made up, where the real ones are not known.
        split: counts instead of ``data.split``.
        sample: a sample of the training data.
        conditions: by data set that gave a sample, whether it has a condition.
        sizes: likewise, height and width of its image.
        traced: what `trace_model` found.
        solver: what `rehearse` has built, on a model without weights.
    """

    tree: ConfigTree
    problems: list[Problem] = field(default_factory=list)
    data: Any = None
    info: DatasetInfo | None = None
    wired: Mapping[str, Any] = field(default_factory=dict)
    stand_in: bool = True
    split: Any = None
    sample: Sample | None = None
    conditions: dict[str, bool] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    traced: Traced | None = None
    solver: Any = None

    def check(self, *sections: str) -> Plan:
        """Hold the sections, or the whole config, against the signatures."""
        self.problems += check_sections(self.tree, sections or None)
        return self

    def open_data(self) -> Plan:
        """Open the data sets and draw a sample of each."""
        if not self._sound("data"):
            return self
        self.data = self.build("data", self.data_context())
        if self.data is None:
            return self
        self.info = self.data.info
        for part in PARTS:
            dataset = getattr(self.data, part)
            if dataset is None or not len(dataset):
                continue
            try:
                sample = dataset[0]
            except DlcregError as error:
                self.problems.append(Problem(f"data.{part}", str(error)))
            except Exception as error:
                problem = refusal(type(dataset), f"data.{part}", error, "gives no sample")
                self.problems.append(problem)
            else:
                self.sample = self.sample or sample
                self.conditions[part] = sample.condition is not None
                self.sizes[part] = sample.image.shape[:2]
        return self

    def rehearse_transforms(self) -> Plan:
        """Build the transforms of data that is not opened, as far as nothing of it is needed."""
        if not self._sound("data"):
            return self
        for section in written_parts(self.tree):
            for part in section.walk() if section.path == "data" else ():
                cfg = self.tree.get(part.path)
                if part.registry is not REGISTRIES["transforms"] or not isinstance(cfg, Mapping):
                    continue
                # values of real keypoints, or what speaks of them by name
                if not any(name in cfg for name in WIRED) and not _takes_names(part.cls):
                    wiring = Wiring()
                    wiring.part(part.registry, cfg, part.path, guesses())
                    self.problems += wiring.problems
        return self

    def trace_model(self, pretrained: bool = True) -> nn.Module | None:
        """Send an image through the model without its weights; return that model.

        Args:
            pretrained: whether the weights that its config names must be there.
        """
        if not self._sound("model"):
            return None
        missing = keypoints_missing(self.tree, self.info)
        if missing:
            self.problems += missing
            return None
        context = self.model_context()
        if "num_keypoints" not in context and self.stand_in:
            context.update(guesses())
        count = context.get("num_keypoints")
        self.traced = trace(
            lambda wiring, bare: self._model(wiring, context, bare or not pretrained),
            self.size,
            count if isinstance(count, int) else None,
            self.info,
            self.condition,
            INFO.num_keypoints,
        )
        self.problems += self.traced.problems
        if self.traced.model is not None:
            self.problems += conditions_missing(self.tree, self.conditions, self.traced.built)
            self.problems += sizes_refused(self.traced, self.size, self.sizes)
        return self.traced.model

    def rehearse(self, model: nn.Module | None, without_data: bool = False) -> Plan:
        """Build the solver around a model without weights: optimizer, schedules, metrics, hooks.

        Args:
            model: the model, or None where it cannot be built.
            without_data: the data is not opened on purpose: something stands in for it.
        """
        if not (self._sound("evaluation") and self._sound("solver")):
            return self
        wired = self.info.wiring() if self.info else guesses()
        if self.tree.data.get("evaluation"):
            self._rehearse_evaluation(wired)
        if model is None or next(model.parameters(), None) is None:
            return self
        self.problems += nothing_to_learn(self.traced)
        if any(problem.path == "work_dir" for problem in self.problems):
            return self
        device = next(model.parameters()).device.type
        cfg = {**self.tree.data["solver"], "device": device, "compile": False, "precision": "fp32"}
        if self.data is not None:
            self.solver = self.build("solver", wired, cfg, self.solver_parts(model))
        elif without_data:
            self._rehearse_without_data(model, cfg)
        return self

    def _rehearse_evaluation(self, wired: Mapping[str, Any]) -> None:
        """Hold what measures the finished model against the data, where that is known."""
        evaluation = self.build("evaluation", wired)
        if evaluation is None:
            return
        if self.traced is not None:
            self.problems += tests_missing(evaluation, self.traced.built)
        if self.info is None or not evaluation.metrics:
            return
        try:
            check_metrics(evaluation.metrics, self.info, "evaluation.metrics")
        except ConfigError as error:
            self.problems += error.problems

    def _rehearse_without_data(self, model: nn.Module, cfg: dict[str, Any]) -> None:
        """Build the solver on loaders that stand in; whether metrics fit the data is not known."""
        wiring = Wiring()
        shape = shape_of(list[Metric])
        metrics = wiring.value(cfg.pop("metrics", []), shape, "solver.metrics", guesses())
        self.problems += wiring.problems
        if metrics is BROKEN:
            return
        given = {
            "model": model,
            "train_loader": StandInLoader(),
            "val_loader": StandInLoader() if self.tree.get("data.val") is not None else None,
            "work_dir": "work_dirs/run",
            "metrics": metrics,
        }
        known = len(self.problems)
        self.solver = self.build("solver", guesses(), cfg, given)
        told = self.problems[known:]
        self.problems[known:] = [p for p in told if not p.path.startswith("solver.metrics")]

    def build(
        self,
        name: str,
        context: Mapping[str, Any],
        cfg: Mapping[str, Any] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the object of a section, or None if it cannot be built."""
        wiring = Wiring(sources={"split": "data.split", "seed": "solver.seed"})
        cfg = self.tree.data.get(name, {}) if cfg is None else cfg
        built = wiring.object(SECTIONS[name].load(), cfg, name, context, given)
        self.problems += wiring.problems
        return None if built is BROKEN else built

    def build_model(self, pretrained: bool = True) -> nn.Module:
        """Return the model, with the weights that its config names if `pretrained`."""
        wiring = Wiring()
        built = self._model(wiring, self.model_context(), not pretrained)
        self.problems += wiring.problems
        self.settle()
        return built  # type: ignore[no-any-return]

    def solver_parts(self, model: nn.Module) -> dict[str, Any]:
        """Return what the solver is given beside its config."""
        val = self.data.val
        pin = str(self.tree.get("solver.device") or "cuda").startswith("cuda")
        return {
            "model": model,
            "train_loader": self.data.train_loader(self.seed, pin_memory=pin),
            "val_loader": None if val is None else self.data.loader(val, pin_memory=pin),
            "work_dir": self.tree.data.get("work_dir") or "work_dirs/run",
        }

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images that the model is tried on, and is told of."""
        if "input_size" in self.wired:
            height, width = self.wired["input_size"]
            return int(height), int(width)
        if self.sample is not None:
            height, width = self.sample.image.shape[:2]
            return int(height), int(width)
        return written_size(self.tree) or SIZE

    @property
    def condition(self) -> torch.Tensor | None:
        """The condition (1, K, 3) of the sample, for conditioned models."""
        known = None if self.sample is None else self.sample.condition
        return None if known is None else torch.as_tensor(known)[None]

    @property
    def seed(self) -> int:
        """The run's seed."""
        solver = self.tree.data.get("solver")
        seed = solver.get("seed", _SEED) if isinstance(solver, Mapping) else _SEED
        return seed if isinstance(seed, int) and seed <= LARGEST_SEED else _SEED

    def data_context(self) -> dict[str, Any]:
        """Return what data sets are given by parameter name."""
        split = self.tree.get("data.split") if self.split is None else self.split
        return {"seed": self.seed, **({} if split is None else {"split": split})}

    def model_context(self) -> dict[str, Any]:
        """Return what the parts of the model are given by parameter name."""
        context = {} if self.info is None else self.info.wiring()
        # Images of another size than the one that a config is written for are no mistake.
        return {**context, **self.wired, "input_size": Guess(self.size)}

    def settle(self) -> None:
        """Raise all problems so far, each with its place.

        Raises:
            ConfigError: there are any.
        """
        if self.problems:
            raise ConfigError(self.placed())

    def placed(self) -> list[Problem]:
        """Return all problems with their places, in the order of the config."""
        placed = _once(self.tree.placed(problem) for problem in self.problems)
        files = list(dict.fromkeys(p.location.file for p in placed if p.location))

        def place(problem: Problem) -> tuple[int, int, int]:
            at = problem.location
            return (-1, 0, 0) if at is None else (files.index(at.file), at.line, at.column)

        return sorted(placed, key=place)

    def _sound(self, section: str) -> bool:
        """Whether a section is there and nothing is known against it."""
        if self.tree.data.get(section) is None:
            return not SECTIONS[section].required
        wrong = {problem.path.partition(".")[0] for problem in self.problems}
        return not wrong & {section, "required_plugins"}  # parts of a missing package are unknown

    def _model(self, wiring: Wiring, context: Mapping[str, Any], bare: bool) -> Any:
        cfg = self.tree.data["model"]
        cfg = _without_weights(cfg) if bare else cfg
        return wiring.part(models(), cfg, "model", context, default_type=MODEL_TYPE)


def _takes_names(cls: type) -> bool:
    """Return whether a part is told the names of the keypoints."""
    return "keypoint_names" in signature_of(cls).parameters


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """Return each problem once, also one that a value makes in several places that it is put to."""
    found: dict[Any, Problem] = {}
    for problem in problems:
        shared = problem.location or (problem.source != SOURCE and problem.source)
        found.setdefault((problem.message, shared or problem.path), problem)
    return list(found.values())


def _without_weights(cfg: Any) -> Any:
    """Return a config whose parts load no pretrained weights."""
    if isinstance(cfg, Mapping):
        kept = {key: _without_weights(value) for key, value in cfg.items()}
        if "weights" in kept and isinstance(kept["weights"], str):
            kept["weights"] = None
        return kept
    return [_without_weights(item) for item in cfg] if isinstance(cfg, list) else cfg
