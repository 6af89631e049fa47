"""Libraries that only some formats need."""

from __future__ import annotations

import importlib
from types import ModuleType

from dlcreg.errors import DlcregError


def needed(module: str, package: str, extra: str) -> ModuleType:
    """Return a module of a library that is no dependency of dlcreg.

    Args:
        module: import name.
        package: name for pip.
        extra: of dlcreg, which installs it.

    Raises:
        DlcregError: it is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DlcregError(
            f"this needs {package}, which cannot be imported ({error}): "
            f"pip install 'dlcreg[{extra}]'"
        ) from error
