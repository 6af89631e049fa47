"""The packages that a config says it needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import importlib_metadata
from packaging.requirements import InvalidRequirement, Requirement

from dlcreg.errors import ConfigError, Problem


def check_required(requirements: Sequence[str] | str) -> None:
    """Check the `required_plugins` of a config, such as ``['my-package>=1.2']``.

    Raises:
        ConfigError: packages are missing, too old or badly written; all are listed.
    """
    problems: list[Problem] = []
    lines: Iterable[str] = [requirements] if isinstance(requirements, str) else requirements
    for index, line in enumerate(lines):
        path = f"required_plugins.{index}"
        try:
            wanted = Requirement(line)
        except (InvalidRequirement, TypeError):
            message = f"{line!r} is no requirement; write it as for pip, such as 'my-package>=1.2'"
            problems.append(Problem(path, message))
            continue
        remedy = f"Install it with: pip install '{line}'"
        try:
            version = importlib_metadata.version(wanted.name)
        except importlib_metadata.PackageNotFoundError:
            problems.append(Problem(path, f"package {wanted.name} is not installed. {remedy}"))
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            message = f"package {wanted.name} {version} does not meet {line!r}. {remedy}"
            problems.append(Problem(path, message))
    if problems:
        raise ConfigError(problems)
