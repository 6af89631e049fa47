"""The checks of backbones."""

from __future__ import annotations

from dlcreg.testing.modules import MAP_CHECKS, MODULE_CHECKS, bfloat16

CHECKS = (*MAP_CHECKS, *MODULE_CHECKS, bfloat16)
