"""A part of a config of DeepLabCut that is read key by key, so that nothing in it goes unread."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dlcreg.config import ConfigTree
from dlcreg.errors import ConfigError, Problem


class Section:
    """A mapping inside a config of DeepLabCut.

    What is read is noted; `close` tells of the rest. Mistakes are collected by the root and told
    together.

    Args:
        tree: the whole config.
        path: dotted path of the mapping in it; empty for all of it.
        root: the section of the whole config; None for itself.
    """

    def __init__(self, tree: ConfigTree, path: str = "", root: Section | None = None) -> None:
        self.tree, self.path = tree, path
        self.root = root or self
        self.problems: list[Problem] = [] if root is None else root.problems
        self.notes: list[str] = [] if root is None else root.notes
        values = tree.get(path) if path else tree.data
        self.values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        """Whether a key is there with a value; it counts as read."""
        self._read.add(key)
        return self.values.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value; the default where the key is missing or empty."""
        self._read.add(key)
        value = self.values.get(key)
        return default if value is None else value

    def need(self, key: str, default: Any) -> Any:
        """Return a value that must be there; the default, with a problem, where it is not."""
        if key not in self:
            self.wrong("", f"has no {key!r}")
        return self.get(key, default)

    def number(self, key: str, default: float) -> float:
        """Return a number."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.wrong(key, f"is to be a number, not {value!r}")
            return default
        return value

    def section(self, key: str) -> Section:
        """Return what a key holds as a section; an empty one where there is none."""
        value = self.get(key, {})
        if not isinstance(value, Mapping):
            self.wrong(key, f"is to hold settings, not {value!r}")
        return Section(self.tree, self._below(key), self.root)

    def sections(self, key: str) -> list[Section]:
        """Return what a list of settings holds."""
        value = self.get(key, [])
        if not isinstance(value, (list, tuple)):
            self.wrong(key, f"is to be a list, not {value!r}")
            return []
        place = self._below(key)
        return [Section(self.tree, f"{place}.{index}", self.root) for index in range(len(value))]

    def named(self, key: str) -> Iterator[tuple[str, Section]]:
        """Yield the settings that a mapping of names holds."""
        inside = self.section(key)
        for name in inside.values:
            yield str(name), inside.section(str(name))

    def only(self, key: str, allowed: Any, why: str) -> None:
        """Read a value of which one alone is known here.

        Args:
            key: the key.
            allowed: that value, and what counts where the key is missing.
            why: what is not there of others.
        """
        if self.get(key, allowed) != allowed:
            self.wrong(key, f"{self.values[key]!r}: {why}")

    def choice(self, key: str, known: Iterable[str], default: str = "") -> str:
        """Return one of the known words; the first of them, with a problem, for another one."""
        names = list(known)
        value = self.get(key, default)
        if value in names:
            return str(value)
        close = difflib.get_close_matches(str(value), names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        self.wrong(key, f"{value!r} is not known.{hint} Known: {', '.join(names)}")
        return names[0]

    def ignore(self, *keys: str) -> None:
        """Take keys as read which mean nothing here."""
        self._read.update(keys)

    def close(self) -> None:
        """Tell of the keys with a value that nobody has read."""
        for key, value in self.values.items():
            if value is not None and key not in self._read:
                known = sorted(map(str, self._read))
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                self.wrong(str(key), f"DeepLabCut 3 has no such key here.{hint}")

    def wrong(self, key: str, message: str) -> None:
        """Note a mistake."""
        path = self._below(key) if key else self.path
        text = message if message.endswith(("?", ".")) else f"{message}."
        problem = self.tree.placed(Problem(path, text))
        if problem not in self.problems:  # some settings are read for several parts
            self.problems.append(problem)

    def note(self, text: str) -> None:
        """Note what is to be told and is no mistake."""
        self.notes.append(text)

    def settle(self) -> None:
        """Tell of all mistakes.

        Raises:
            ConfigError: there are some.
        """
        if self.problems:
            raise ConfigError(self.problems)

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key
