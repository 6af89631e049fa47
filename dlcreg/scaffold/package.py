"""A new package with a part of one's own: what `dlcreg plugin new` writes."""

from __future__ import annotations

import ast
import difflib
import importlib.resources
import importlib.util
import keyword
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Literal

import importlib_metadata
import yaml

from dlcreg import plugins
from dlcreg.errors import PluginError
from dlcreg.files import folder_written_whole
from dlcreg.plugins import PLUGIN_API, own_version
from dlcreg.registry import REGISTRIES, Registry

Licence = Literal["MIT", "BSD-3-Clause", "Apache-2.0"]
"""SPDX names of the licences that a new package can have."""

_FILES = {
    "pyproject.toml": "pyproject.toml",
    "setup.cfg": "setup.cfg",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "ci.yml": ".github/workflows/ci.yml",
    "demo.py": "configs/demo.py",
    "init.py": "src/{module}/__init__.py",
    "{registry}/part.py": "src/{module}/{kind}.py",
    "test_conformance.py": "tests/test_conformance.py",
    "{registry}/test_behaviour.py": "tests/test_behaviour.py",
}
"""Template (without ``.tmpl``) and the file that it becomes; what else a kind has in its folder
goes beside ``part.py``."""


_OTHER_NAME = (
    "Choose another name for the package, or give the class one of its own with --class-name."
)


@dataclass(frozen=True)
class NewPlugin:
    """What `new_plugin` made.

    Args:
        root: the package's folder.
        name: of the package, as pip knows it.
        module: its import name.
        class_name: the part, as configs name it.
        registry: plural of its kind, such as ``heads``.
        files: relative to `root`, sorted.
        commands: that try it once it is installed, to be given in `root`.
    """

    root: Path
    name: str
    module: str
    class_name: str
    registry: str
    files: tuple[str, ...]
    commands: tuple[str, ...]


def new_plugin(
    kind: str,
    name: str,
    *,
    out: str | Path = ".",
    author: str = "",
    licence: Licence = "MIT",
    class_name: str = "",
) -> NewPlugin:
    """Write a package with a working part, its tests, a README and, for what trains, a config.

    The folder appears whole or not at all. The package installs, passes its tests and trains on
    the demo project, or analyses its videos, as it is.

    Args:
        kind: singular or plural, such as ``head``.
        name: of the package, such as ``my-head``; it is the folder's name, too.
        out: folder to make it in.
        author: for the metadata and the licence.
        licence: of the package.
        class_name: of the part; by default it follows from `name`: ``MyHead``.

    Raises:
        PluginError: unknown kind or licence, a bad or taken name, or the folder exists.
        DlcregError: the folder cannot be written.
    """
    registry = _registry_of(kind)
    module = _module_of(name)
    class_name = class_name or _class_of(name)
    _check_class_name(class_name, registry, name)
    root = Path(out) / name
    if root.exists() or root.is_symlink():
        raise PluginError(
            f"{root} exists already. Choose another name, or another folder with --out."
        )
    holder = _one_line("author", author or f"the authors of {name}")
    values = {
        "name": name,
        "module": module,
        "class_name": class_name,
        "kind": _singular(registry),
        "registry": registry.name,
        "author": holder,
        "author_in_cfg": holder.replace("%", "%%"),  # as configparser reads it
        "licence": licence,
        "year": str(time.localtime().tm_year),
        "api": ".".join(map(str, PLUGIN_API)),
        "dlcreg_version": own_version(),
    }
    values |= _texts_of(registry.name, values)
    texts = {
        target.format(**values): _filled(source.format(**values), values)
        for source, target in _FILES.items()
        if source != "demo.py" or _trains(registry.name)
    }
    for path in sorted((_folder() / registry.name).glob("*.tmpl")):
        if f"{{registry}}/{path.stem}" not in _FILES:
            texts[f"src/{module}/{path.stem}"] = _filled(f"{registry.name}/{path.stem}", values)
    texts["LICENSE"] = _licence_text(licence, values)
    texts[f"src/{module}/py.typed"] = ""
    with folder_written_whole(root) as temporary:
        for path, text in texts.items():
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            (temporary / path).write_text(text, encoding="utf-8")
    commands = tuple(values["commands"].splitlines())
    return NewPlugin(root, name, module, class_name, registry.name, tuple(sorted(texts)), commands)


def kinds() -> tuple[str, ...]:
    """Return the kinds of parts that there are templates for, in the singular."""
    return tuple(_singular(REGISTRIES[name]) for name in _texts() if name in REGISTRIES)


# -- names -------------------------------------------------------------------------------------


def _singular(registry: Registry) -> str:
    return registry.kind.replace(" ", "")


def _registry_of(kind: str) -> Registry:
    known = kinds()
    for registry in REGISTRIES.values():
        if kind in (registry.name, _singular(registry)):
            if _singular(registry) in known:
                return registry
            raise PluginError(
                f"there is no template for {registry.name}. Kinds: {', '.join(known)}."
            )
    close = difflib.get_close_matches(kind.lower(), known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise PluginError(f"there is no kind {kind!r}.{hint} Kinds: {', '.join(known)}.")


def _module_of(name: str) -> str:
    """Return the import name of a package, after checking that both names can be."""
    module = re.sub(r"[-.]+", "_", name).lower()
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise PluginError(
            f"{name!r} cannot be the name of a package: it must consist of ASCII letters, digits, "
            "'-', '_' and '.', and start and end with a letter or digit, such as 'my-head'."
        )
    if not module.isidentifier() or keyword.iskeyword(module):
        why = "is a keyword of Python" if keyword.iskeyword(module) else "is no identifier"
        raise PluginError(
            f"{name!r} cannot be the name of a package: its module would be {module!r}, which "
            f"{why}. Choose a name that starts with a letter, such as 'my-{name}'."
        )
    owner, version = plugins.distribution_of(module)
    if owner == name and owner != plugins.OWN and owner in plugins.plugin_packages():
        return module  # an earlier one of the same name, installed
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.origin is not None:
        of = f"package {owner} {version}" if owner else f"Python, {spec.origin}"
        raise PluginError(
            f"{name!r} cannot be the name of a package: its module {module!r} would hide that of "
            f"{of}. Choose another name, such as 'my-{name}'."
        )
    return module


def _class_of(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[-_.]+", name))


def _check_class_name(class_name: str, registry: Registry, package: str) -> None:
    if not (class_name.isidentifier() and class_name.isascii()) or keyword.iskeyword(class_name):
        raise PluginError(
            f"{class_name!r} cannot be the name of a class: it is no identifier of Python. "
            f"{_OTHER_NAME}"
        )
    rows = [row for row in registry.listing() if row.name == class_name]
    others = [r for r in rows if plugins.canonical(r.distribution) != plugins.canonical(package)]
    if others or (not rows and class_name in registry.names()):
        owner = f"{others[0].distribution} {others[0].version}" if others else "a library"
        raise PluginError(
            f"{registry.kind} {class_name!r} exists already, in {owner}. {_OTHER_NAME}"
        )
    if class_name in _names_in(_template(f"{registry.name}/part.py")):
        raise PluginError(
            f"{class_name!r} cannot be the name of the class: its code uses something else of that "
            f"name. {_OTHER_NAME}"
        )


def _names_in(template: str) -> set[str]:
    """Return the names that the code of a template uses or imports."""
    nodes = list(ast.walk(ast.parse(template.replace("$class_name", "_"))))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    return used | {node.name for node in nodes if isinstance(node, ast.alias)}


def _one_line(what: str, text: str) -> str:
    if not text.isprintable():
        raise PluginError(f"{what} must be one line of text, not {text!r}.")
    return text


# -- texts -------------------------------------------------------------------------------------


def _folder() -> Path:
    return Path(str(importlib.resources.files("dlcreg.scaffold"))) / "templates"


@cache
def _texts() -> Mapping[str, Any]:
    """Return what kinds.yaml says, by registry."""
    content: dict[str, Any] = yaml.safe_load((_folder() / "kinds.yaml").read_text("utf-8"))
    return content


def _trains(registry: str) -> bool:
    """Return whether parts of a kind are named in a config that trains."""
    return "commands" not in _texts()[registry]


def _texts_of(registry: str, values: Mapping[str, str]) -> dict[str, str]:
    """Return description, usage, commands and the slots of the files for one kind."""
    common, own = _texts(), _texts()[registry]
    texts = {"commands": common["commands"], **common["slots"], **own, **own.get("slots", {})}
    texts.pop("slots", None)
    filled = {key: Template(text).substitute(values) for key, text in texts.items()}
    how = "use_config.md" if _trains(registry) else "use_command.md"
    return {**filled, "use": _filled(how, filled).rstrip()}


def _template(name: str) -> str:
    return (_folder() / f"{name}.tmpl").read_text("utf-8")


def _filled(template: str, values: Mapping[str, str]) -> str:
    return Template(_template(template)).substitute(values)


def _licence_text(licence: str, values: Mapping[str, str]) -> str:
    known = Licence.__args__  # type: ignore[attr-defined]
    if licence not in known:
        raise PluginError(
            f"there is no text of the licence {licence!r}. Known: {', '.join(known)}."
        )
    if licence != "Apache-2.0":
        return _filled(f"LICENSE.{licence}", values)
    # dlcreg's own, word by word
    files = importlib_metadata.files(plugins.OWN) or []
    path = next((file for file in files if str(file).endswith("LICENSE")), None)
    if path is None:
        raise PluginError("dlcreg's own licence is missing: install dlcreg again, or choose MIT.")
    return path.read_text(encoding="utf-8")
