"""What an exported file says of itself, and the libraries that read and write it."""

from __future__ import annotations

import importlib
from typing import Any

from dlcreg.errors import DlcregError

KEY = "dlcreg.json"
"""Under which it says so."""

FORMAT = 1
"""Version of what it says."""


def needed(module: str) -> Any:
    """Return a module of the extra ``onnx``.

    Raises:
        DlcregError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DlcregError(
            f"ONNX files need {module.partition('.')[0]}, which is not installed: "
            "pip install 'dlcreg[onnx]'"
        ) from error
