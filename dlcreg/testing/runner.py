"""Runs the checks of a kind on a part, and collects what they say."""

from __future__ import annotations

import functools
import importlib
import random
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from dlcreg.errors import DlcregError
from dlcreg.registry import REGISTRIES
from dlcreg.testing.results import CheckFailed, CheckResult, CheckSkipped, NotBuilt
from dlcreg.testing.subject import Options, Subject

Check = Callable[[Subject], str]
"""A check: returns what it saw, or raises `CheckFailed` or `CheckSkipped`."""

OF_THEIR_OWN = (
    "backbones",
    "condition_encoders",
    "necks",
    "heads",
    "codecs",
    "losses",
    "optimizers",
    "transforms",
    "datasets",
    "metrics",
    "detectors",
    "readers",
    "trackers",
    "writers",
)
"""The kinds with checks of their own; each has a module of its name beside this one."""


def checks_for(kind: str) -> tuple[str, ...]:
    """Return the names of the checks of a kind, such as ``heads``, in the order they run.

    Raises:
        ValueError: no such kind.
    """
    return tuple(_checks(kind))


def check_component(kind: str, name_or_class: str | type, **options: Any) -> list[CheckResult]:
    """Return what the conformance kit has to say of a part; never raises for a part that fails.

    ```python
    for result in check_component("heads", "MyHead", arguments=dict(channels=64)):
        print(result)
    ```

    Args:
        kind: plural name of its registry, such as ``heads``.
        name_or_class: what a config writes as ``type``, or the class itself.
        options: see `dlcreg.testing.subject.Options`.

    Raises:
        ValueError: no such kind.
        TypeError: no such option.
    """
    subject = Subject(kind, name_or_class, Options(**options))
    return [run(name, subject) for name in _checks(kind)]


def run(name: str, subject: Subject) -> CheckResult:
    """Return the result of one check of a part."""
    check = _checks(subject.kind)[name]
    if name != "found_by_name" and not _found(subject):
        return CheckResult(name, "skipped", "the part cannot be used, see 'found_by_name'")
    try:
        with _seeded():
            return CheckResult(name, "passed", check(subject))
    except CheckSkipped as skipped:
        return CheckResult(name, "skipped", str(skipped))
    except NotBuilt as error:
        if name == "builds":
            return CheckResult(name, "failed", f"{subject.name} {error}")
        return CheckResult(name, "skipped", "the part cannot be built, see 'builds'")
    except CheckFailed as error:
        return CheckResult(name, "failed", f"{subject.name} {error}")
    except DlcregError as error:
        return CheckResult(name, "failed", str(error))
    except Exception as error:
        return CheckResult(name, "failed", f"{subject.name} {_raised(error, check, subject)}")


def parametrize_with_checks(
    components: Sequence[tuple[str, str | type] | tuple[str, str | type, Mapping[str, Any]]],
    expected_failures: Mapping[str, Mapping[str, str]] | None = None,
) -> Any:
    """Return a decorator of pytest that runs a test once for each check of each part.

    ```python
    @parametrize_with_checks([("heads", "MyHead", dict(arguments=dict(channels=64)))])
    def test_conformance(check):
        check()
    ```

    Args:
        components: kind and name (or class) of each part, and its options if it needs any, see
            `dlcreg.testing.subject.Options`.
        expected_failures: by part (``heads/MyHead``), then by check, the reason why it fails. One
            that passes after all is a failure.

    Raises:
        ValueError: an expected failure of a part that is not listed, or of no check.
    """
    import pytest

    expected = {key: dict(value) for key, value in (expected_failures or {}).items()}
    parameters = []
    for kind, part, *rest in components:
        subject = Subject(kind, part, Options(**(rest[0] if rest else {})))
        key = f"{kind}/{subject.name}"
        reasons = dict(expected.get(key, {}))
        for name in checks_for(kind):
            reason = reasons.pop(name, None)
            marks: tuple[Any, ...] = ()
            if reason is not None:
                marks = (pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError),)
            assertion = functools.partial(_asserted, name, subject)
            parameters.append(pytest.param(assertion, id=f"{key}-{name}", marks=marks))
        if reasons:
            known = ", ".join(checks_for(kind))
            raise ValueError(f"{key} has no check {next(iter(reasons))!r}. Checks: {known}")
    listed = {f"{kind}/{Subject(kind, part, Options()).name}" for kind, part, *_ in components}
    unknown = [key for key in expected if key not in listed]
    if unknown:
        raise ValueError(
            f"expected_failures names {unknown[0]!r}, which is none of: {', '.join(sorted(listed))}"
        )
    return pytest.mark.parametrize("check", parameters)


def _asserted(name: str, subject: Subject) -> None:
    import pytest

    result = run(name, subject)
    if result.status == "skipped":
        pytest.skip(result.message)
    assert result.status == "passed", f"{subject.kind}/{result}"


def _found(subject: Subject) -> bool:
    try:
        return bool(subject.cls)
    except DlcregError:
        return False


@functools.cache
def _checks(kind: str) -> dict[str, Check]:
    if kind not in REGISTRIES:
        raise ValueError(f"there is no kind {kind!r}. Kinds: {', '.join(REGISTRIES)}")
    modules = ["common", *([kind] if kind in OF_THEIR_OWN else [])]
    return {
        check.__name__: check
        for module in modules
        for check in importlib.import_module(f"dlcreg.testing.{module}").CHECKS
    }


@contextmanager
def _seeded() -> Iterator[None]:
    """Seed all generators, and put them back afterwards."""
    kept = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        try:
            yield
        finally:
            random.setstate(kept[0])
            np.random.set_state(kept[1])


def _raised(error: Exception, check: Check, subject: Subject) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = getattr(sys.modules.get(subject.cls.__module__), "__file__", None)
    frame = next((f for f in reversed(frames) if f.filename == own), frames[-1])
    lines = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {lines[0] if lines else ''}"
    purpose = (check.__doc__ or "").strip().splitlines()[0].rstrip(".")
    return (
        f"raises {what} ({frame.filename}:{frame.lineno}). Expected: no error; "
        f"the check asks: {purpose[0].lower()}{purpose[1:]}."
    )
