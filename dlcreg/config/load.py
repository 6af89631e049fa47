"""Reading a config with everything that it builds on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from mmengine.config import Config

from dlcreg.config.markup_file import MarkupFile
from dlcreg.config.options import SOURCE, parse_option
from dlcreg.config.python_file import PythonFile
from dlcreg.config.tree import ConfigTree, Origins, merge, plain
from dlcreg.errors import ConfigError, Location, Problem

_READERS: dict[str, Any] = {
    ".py": PythonFile,
    ".yaml": MarkupFile,
    ".yml": MarkupFile,
    ".json": MarkupFile,
}


def load_config(
    source: str | Path | Mapping[str, Any] | Config | ConfigTree,
    options: Sequence[str] | Mapping[str, Any] = (),
) -> ConfigTree:
    """Load a config.

    Python, YAML and JSON say the same; ``_base_`` names one or several files that a config builds
    on, and ``_delete_=True`` in a dict drops what these say there. In Python ``_base_.name`` is a
    value of the bases, and a name that begins with an underscore is a helper.

    Args:
        source: a file, a dict, a config of mmengine, or a loaded config (which is copied).
        options: ``a.b=value`` texts, or values by dotted path, that have the last word.

    Returns:
        The values, each with the place where it is written.

    Raises:
        ConfigError: it is none of these, a file is missing or cannot be read, or an option makes no
            sense.
    """
    if isinstance(source, ConfigTree):
        tree = ConfigTree(source.data, source.filename, source.origins)
    elif isinstance(source, Config):
        tree = ConfigTree(plain(source.to_dict()))
    elif isinstance(source, Mapping):
        tree = ConfigTree(source)
    elif not isinstance(source, (str, PathLike)):
        raise ConfigError(f"a config is a dict or the path of a file, not {source!r}")
    else:
        path = Path(source).expanduser()
        data, origins = _load(path, (), None)
        tree = ConfigTree(data, path, origins)
    _apply(tree, options)
    return tree


def _apply(tree: ConfigTree, options: Sequence[str] | Mapping[str, Any]) -> None:
    problems: list[Problem] = []
    items: list[Any] = list(options.items() if isinstance(options, Mapping) else options)
    for item in [options] if isinstance(options, str) else items:
        try:
            path, value = parse_option(item) if isinstance(item, str) else item
            tree.set(path, value, SOURCE)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def _load(
    path: Path, chain: tuple[Path, ...], asked: Location | None
) -> tuple[dict[str, Any], Origins]:
    """Return values and origins of a file and its bases.

    Args:
        path: the file.
        chain: the files that ask for it.
        asked: where the last of them does so.
    """
    file = _open(path, chain, asked)
    names, where = file.bases()
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) for n in names):
        raise ConfigError(Problem("_base_", "must be a path or a list of paths.", where))
    data: dict[str, Any] = {}
    origins: Origins = {}
    for name in names:
        base, base_origins = _load(
            path.parent / Path(name).expanduser(), (*chain, path.resolve()), where
        )
        merge(data, base, origins, base_origins)
    merge(data, file.values(data), origins, file.origins())
    return data, origins


def _open(path: Path, chain: tuple[Path, ...], asked: Location | None) -> Any:
    if path.resolve() in chain:
        names = " -> ".join(p.name for p in (*chain, path))
        raise ConfigError(Problem("_base_", f"the bases go round in a circle: {names}", asked))
    name = "_base_" if chain else ""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        message = f"{path} is no config: its name must end in .py, .yaml, .yml or .json."
        raise ConfigError(Problem(name, message, asked))
    if not path.is_file():
        raise ConfigError(Problem(name, f"there is no file {path}.{_neighbour(path)}", asked))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Problem(name, f"{path} cannot be read: {error}", asked)) from error
    return reader(path, text)


def _neighbour(path: Path) -> str:
    if not path.parent.is_dir():
        return f" There is no folder {path.parent} either."
    names = [p.name for p in path.parent.iterdir() if p.suffix.lower() in _READERS]
    close = difflib.get_close_matches(path.name, names, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
