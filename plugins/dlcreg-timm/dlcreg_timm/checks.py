"""What dlcreg's checks must know of the parts of this package."""

from __future__ import annotations

from typing import Any

PARTS: dict[str, dict[str, Any]] = {
    "backbones/TimmBackbone": {"arguments": {"name": "test_resnet", "out_indices": [1, 3]}}
}
"""Options of `dlcreg.testing.check_component` by part."""
