"""The checks of backbones."""

from __future__ import annotations

from dlcreg.testing.maps import MAP_CHECKS
from dlcreg.testing.modules import MODULE_CHECKS, bfloat16

CHECKS = (*MAP_CHECKS, *MODULE_CHECKS, bfloat16)
