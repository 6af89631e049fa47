"""Parts that a library gives without entry points, such as the optimizers of torch."""

from __future__ import annotations

import importlib
import inspect
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dlcreg.plugins.source import exported
from dlcreg.registry.part import resolve


@dataclass
class Library:
    """The public subclasses of a base in a module, or the members of a registry of mmengine.

    Args:
        module: what gives them, such as ``torch.optim``.
        base: ``module:Class`` that they derive from.
        registry: ``module:REGISTRY`` of mmengine which they are in once the module is imported;
            empty: they are the module's own names.
    """

    module: str
    base: str
    registry: str = ""

    @property
    def distribution(self) -> str:
        """The package, as pip knows it."""
        return self.module.partition(".")[0]

    def names(self) -> set[str]:
        """Return the names, from the source of the module unless it was imported already."""
        if self.module in sys.modules or not self._exported:
            return set(self._members())
        return self._exported

    @cached_property
    def _exported(self) -> set[str]:
        return exported(self.module) - {self.base.partition(":")[2]}

    def get(self, name: str) -> type | None:
        """Return the class of a name, or None."""
        if name not in self.names():
            return None
        return self._members().get(name)

    def _members(self) -> dict[str, Any]:
        module, base = importlib.import_module(self.module), resolve(self.base)
        if self.registry:
            return dict(resolve(self.registry).module_dict)
        return {
            name: value
            for name, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, base) and value is not base
        }
