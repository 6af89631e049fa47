"""Golden files of codecs, which know what of them a test takes and what it compares."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

MARK = "codec_file"
"""The mark of a test: a file's name, and patterns of the arrays of it that the test accounts for:
``in/`` ones that it takes, ``out/`` ones that it compares, each as a whole."""


class CodecFile:
    """Arrays of a golden file by name, of which a test says which it accounts for."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        with np.load(path) as file:
            self._arrays = dict(file)
        self._accounted: set[str] = set()

    def __getitem__(self, key: str) -> np.ndarray:
        if key.startswith("in/"):
            self._accounted.add(key)
        return self._arrays[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def matching(self, patterns: Iterable[str]) -> set[str]:
        """Return the arrays of the patterns; each pattern has some."""
        found = {p: {key for key in self if fnmatchcase(key, p)} for p in patterns}
        nothing = [pattern for pattern, keys in found.items() if not keys]
        assert not nothing, f"{self.name} has no arrays {nothing}"
        return set().union(*found.values())

    def compare(self, key: str, ours: Any, atol: Any = 0.0, rtol: Any = 0.0) -> None:
        """Compare an array, all of it: shape, places without a number, and values.

        Args:
            key: the array.
            ours: what it is to be equal to.
            atol: of which size a difference may be; it broadcasts to the array.
            rtol: likewise, as a share of the value.
        """
        theirs, ours = self._arrays[key], np.asarray(ours)
        assert ours.shape == theirs.shape, (key, ours.shape, theirs.shape)
        same = np.isclose(ours, theirs, rtol, atol, equal_nan=True)
        first = np.argwhere(~same)[:5].tolist()
        values = [(where, ours[tuple(where)], theirs[tuple(where)]) for where in first]
        assert not values, f"{key}: {(~same).sum()} of {same.size} are others: {values}"
        self._accounted.add(key)

    def check(self, patterns: Iterable[str]) -> None:
        """Check that the arrays of the patterns, and no others, are accounted for."""
        said = self.matching(patterns)
        left, more = said - self._accounted, self._accounted - said
        assert not left, f"{self.name}: the test's mark names {sorted(left)}, which it leaves out"
        assert not more, f"{self.name}: the test's mark leaves out {sorted(more)}, which it has"


def marks_in(source: str) -> list[tuple[str, ...]]:
    """Return file and patterns of the marks in a module's source, of tests that open the files."""
    return [
        tuple(ast.literal_eval(argument) for argument in mark.args)
        for test in ast.parse(source).body
        if isinstance(test, ast.FunctionDef)
        and test.name.startswith("test_")
        and any(argument.arg in (MARK, f"{MARK}s") for argument in test.args.args)
        for mark in test.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == f"pytest.mark.{MARK}"
    ]
