"""All that is known of one part: where it is from, what it takes, how a config names it."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from dataclasses import dataclass
from typing import Any

import importlib_metadata

from dlcreg.apis.example import example_config
from dlcreg.errors import PluginError
from dlcreg.registry import REGISTRIES, Part, Registry
from dlcreg.registry.part import source_of
from dlcreg.schema import WIRED, shape_of, signature_of
from dlcreg.schema.check import PROVIDED
from dlcreg.schema.docs import argument_docs, purpose

_PAPER = re.compile(r"\(((?:[^()]*?\b)?[A-Z][^()]*?\b(?:19|20)\d\d[^()]*)\)")
_SOURCE_LINE = re.compile(r"^(?:Sources?|References?|Papers?): *(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Argument:
    """A parameter of a part.

    Args:
        name: its key in a config.
        type: what it takes, in words.
        default: its default as Python text; None where it has none.
        source: ``wired`` from the part before it or from the data, ``given`` by dlcreg, or
            ``config``.
        doc: what the docstring says.
    """

    name: str
    type: str
    default: str | None
    source: str
    doc: str


@dataclass(frozen=True)
class Description:
    """All that is known of a part.

    Args:
        part: registry, name, package, version, import path and hash of the source.
        purpose: first sentence of the docstring.
        text: the whole docstring.
        file: file that defines it; empty where there is none.
        line: its line there; 0 where it is unknown.
        licence: of the package, as its metadata says.
        home: home page of the package, likewise.
        papers: the publications that its docstring, or that of its module, names.
        arguments: what it takes.
        open: takes further names, which its signature does not tell.
        example: a config of it that passes the checks; None where its signature says too little.
    """

    part: Part
    purpose: str
    text: str
    file: str
    line: int
    licence: str
    home: str
    papers: list[str]
    arguments: list[Argument]
    open: bool
    example: dict[str, Any] | None


def describe(name: str) -> Description:
    """Return all that is known of a part, which is imported for it.

    Args:
        name: ``heads/MyHead``, ``heads/my-package/MyHead``, or ``MyHead`` alone where only one
            kind has it.

    Raises:
        PluginError: there is no such part, several kinds have it, or it is broken.
    """
    registry, key = find_part(name)
    cls, part = registry.get(key), registry.part(key)
    signature = signature_of(cls)
    docs = argument_docs(cls)
    given = PROVIDED.get(registry.name, ())
    licence, home = _metadata(part.distribution)
    return Description(
        part=part,
        purpose=purpose(cls),
        text=inspect.getdoc(cls) or "",
        file=source_of(cls) or "",
        line=_line(cls),
        licence=licence,
        home=home,
        papers=_papers(cls),
        arguments=[
            Argument(
                p.name,
                shape_of(p.annotation).words,
                None if p.required else repr(p.default),
                "given" if p.name in given else "wired" if p.name in WIRED else "config",
                docs.get(p.name, ""),
            )
            for p in signature.parameters.values()
        ],
        open=signature.open,
        example=example_config(registry, key),
    )


def find_part(name: str) -> tuple[Registry, str]:
    """Return the registry of a part, and the name that a config gives it."""
    kind, _, rest = name.partition("/")
    if rest and kind in REGISTRIES:
        return REGISTRIES[kind], rest
    bare = name.rpartition("/")[2]
    having = [registry for registry in REGISTRIES.values() if bare in registry.names()]
    if len(having) == 1:
        return having[0], name
    if having:
        listed = " or ".join(f"{registry.name}/{name}" for registry in having)
        raise PluginError(f"several kinds have a {name!r}. Say which one: {listed}")
    known = [other for registry in REGISTRIES.values() for other in registry.names()]
    close = difflib.get_close_matches(bare, known, n=1, cutoff=0.6)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise PluginError(f"there is no part {name!r}.{hint} `dlcreg list` shows all of them.")


def _line(cls: type) -> int:
    try:
        return inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):
        return 0


def _papers(cls: type) -> list[str]:
    """Return what a docstring quotes as ``(Author et al., 2019)`` or after ``Source:``."""
    module = sys.modules.get(cls.__module__)
    text = f"{inspect.getdoc(cls) or ''}\n\n{inspect.getdoc(module) or ''}"
    found = _SOURCE_LINE.findall(text) + _PAPER.findall(" ".join(text.split()))
    return list(dict.fromkeys(" ".join(paper.split()) for paper in found))


def _metadata(distribution: str) -> tuple[str, str]:
    """Return licence and home page of a package."""
    try:
        metadata = importlib_metadata.metadata(distribution)
    except (importlib_metadata.PackageNotFoundError, ValueError, OSError):
        return "", ""
    licence = metadata.get("License-Expression") or metadata.get("License") or ""
    urls = [line.partition(",") for line in metadata.get_all("Project-URL") or []]
    labelled = {label.strip().lower(): url.strip() for label, _, url in urls}
    names = ("homepage", "home", "home page", "repository", "source")
    home = metadata.get("Home-page") or next((labelled[n] for n in names if n in labelled), "")
    return str(licence).strip().partition("\n")[0], str(home)
