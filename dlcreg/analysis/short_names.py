"""The short names by which users call parts, such as ``h5`` for ``H5Writer``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from dlcreg.errors import UnknownPartError


def full_name(kind: str, name: str, known: Mapping[str, str]) -> str:
    """Return the name that a registry knows.

    Args:
        kind: what is named, for messages.
        name: short, or as a config may write it: the name of a class, with its package or its
            module before it or without.
        known: names of classes by short name.

    Raises:
        UnknownPartError: a bare name that is none; the short ones are told.

    >>> full_name("format", "H5", {"h5": "H5Writer"})
    'H5Writer'
    """
    if name.lower() in known:
        return known[name.lower()]
    if name in known.values() or re.search(r"[/:.]", name):
        return name
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise UnknownPartError(f"there is no {kind} {name!r}.{hint} Known: {', '.join(sorted(known))}.")
