"""Models of DeepLabCut 3 as checkpoints of dlcreg."""

from __future__ import annotations

from dlcreg.apis.deeplabcut.importing import Imported, import_deeplabcut

__all__ = ["Imported", "import_deeplabcut"]
