"""The sections of a config, and all that can be said of them without building anything."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dlcreg import plugins
from dlcreg.config import ConfigTree
from dlcreg.errors import ConfigError, Problem
from dlcreg.registry import REGISTRIES, Registry
from dlcreg.schema.annotations import shape_of
from dlcreg.schema.check import Checker
from dlcreg.schema.words import shown

MODEL_TYPE = "PoseModel"
"""The model of a config that names none."""


@dataclass(frozen=True)
class Section:
    """A part of a config whose keys are the parameters of a class.

    Args:
        target: ``module:Class``; empty for the model, whose class the config chooses.
        given: parameters that the builder gives, which are no keys.
        required: every config must have it.
    """

    target: str = ""
    given: tuple[str, ...] = ()
    required: bool = True

    def load(self) -> type:
        """Import the class."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


SECTIONS = {
    "model": Section(),
    "data": Section("dlcreg.data.module:DataModule"),
    "solver": Section(
        "dlcreg.solvers.solver:Solver",
        given=("model", "train_loader", "val_loader", "work_dir", "metadata"),
    ),
    "evaluation": Section("dlcreg.solvers.evaluation:Evaluation", required=False),
}

VALUES: dict[str, Any] = {"required_plugins": list[str] | str, "work_dir": str | None}
"""Names at the top that are no sections, with their types."""


def models() -> Registry:
    """Return the registry of models."""
    return REGISTRIES["models"]


def check_sections(tree: ConfigTree, names: Iterable[str] | None = None) -> list[Problem]:
    """Return what is wrong with the sections by their signatures alone.

    Args:
        tree: the config.
        names: the sections that are needed; None: all of them, and nothing else may be there.
    """
    packages = _missing_packages(tree)
    # what a missing package would have provided is not told once more as an unknown name
    checker = Checker(tree.locate, packages, unknown_parts=not packages)
    wanted = set(SECTIONS if names is None else names)
    meant = set()
    if names is None:
        for key in map(str, tree.data):
            if key not in {*SECTIONS, *VALUES} and not key.startswith("_"):
                checker.add(key, _unknown(key))
                meant.update(_close(key))
    for key, annotation in VALUES.items():
        if key in tree.data:
            checker.value(tree.data[key], shape_of(annotation), key)
    for name, section in SECTIONS.items():
        if name not in wanted:
            continue
        value = tree.data.get(name)
        if value is None:
            if section.required and name not in meant:
                checker.add("", f"the config has no {name!r}. Add {name} = dict(...)")
        elif not isinstance(value, Mapping):
            checker.add(name, f"must be a dict, not {shown(value)}.")
        elif section.target:
            checker.parameters(section.load(), value, name, section.given)
        else:
            checker.part(models(), value, name, default_type=MODEL_TYPE)
    return checker.problems


def _missing_packages(tree: ConfigTree) -> list[Problem]:
    required = tree.data.get("required_plugins")
    if not isinstance(required, (str, list, tuple)):
        return []
    try:
        plugins.check_required(required)
    except ConfigError as error:
        return error.problems
    return []


def _unknown(key: str) -> str:
    close = _close(key)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"a config has no {key!r}.{hint} It has: {', '.join([*SECTIONS, *VALUES])}; "
        "the name of a helper variable begins with an underscore."
    )


def _close(key: str) -> list[str]:
    return difflib.get_close_matches(key, [*SECTIONS, *VALUES], n=1, cutoff=0.6)
