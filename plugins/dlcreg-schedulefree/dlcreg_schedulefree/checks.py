"""What dlcreg's checks must know of the parts of this package."""

from __future__ import annotations

from typing import Any

PARTS: dict[str, dict[str, Any]] = {
    # RAdam's first updates only gather the size of the gradients, unless it is told otherwise
    "optimizers/RAdamScheduleFree": {"arguments": {"silent_sgd_phase": False}}
}
"""Options of `dlcreg.testing.check_component` by part."""
