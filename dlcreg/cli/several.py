"""One piece of work after another, of which some may fail."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

from dlcreg.errors import DlcregError

Item = TypeVar("Item")


def each(args: argparse.Namespace, items: Iterable[Item], work: Callable[[Item], None]) -> int:
    """Do some work with each item; one that cannot be done is told of, and the others are done.

    Args:
        args: of the command, whose name the errors begin with.
        items: what to work on.
        work: does it, and prints what it has done.

    Returns:
        the exit status: 0, or 2 where any could not be done.

    Raises:
        BrokenPipeError: nobody reads what is printed any more; the rest is not done.
    """
    status = 0
    for item in items:
        try:
            work(item)
        except BrokenPipeError:
            raise
        except (DlcregError, OSError) as error:  # OSError: a full disk, a folder without rights
            print(f"dlcreg {args.command}: {error}", file=sys.stderr)
            status = 2
    return status
