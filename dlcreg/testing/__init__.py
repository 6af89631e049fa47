"""The conformance kit: whether a part does what its contract says.

```python
from dlcreg.testing import check_component, parametrize_with_checks
```

Built-ins and plug-ins are held to the same checks. Nothing is imported before the first use.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "CheckResult": "results",
    "Options": "subject",
    "PackageReport": "package",
    "check_component": "runner",
    "check_package": "package",
    "checks_for": "runner",
    "parametrize_with_checks": "runner",
}

__all__ = [
    "CheckResult",
    "Options",
    "PackageReport",
    "check_component",
    "check_package",
    "checks_for",
    "parametrize_with_checks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dlcreg.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"dlcreg.testing.{_HOME[name]}"), name)
