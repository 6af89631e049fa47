"""The folder of a run: which checkpoints are in it, and whose it is.

``epoch_N.pth`` holds the run after N epochs, ``epoch_N_iter_M.pth`` after M further batches,
``best.pth`` the weights that validation found best. There is no file that points to another, so
that the folder can be moved.
"""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path
from typing import Any

from dlcreg.errors import CheckpointError
from dlcreg.solvers.checkpoint import load

BEST = "best.pth"

_LEFTOVERS = (".epoch_*.pth", ".best-*.pth")
"""What a run that was killed while it wrote a checkpoint leaves behind, see `written_whole`."""

_RESULTS = ("tensorboard", "evaluation", "evaluation_[0-9]*", "metrics.csv", "learning_curves.png")
"""What else a run writes that would be taken for the next run's."""

_SNAPSHOT = re.compile(r"epoch_(\d+)(?:_iter_(\d+))?\.pth")

logger = logging.getLogger("dlcreg")


def snapshot_name(epoch: int, batch: int = 0) -> str:
    """Return the file name of a checkpoint after `epoch` epochs and `batch` further batches."""
    return f"epoch_{epoch}_iter_{batch}.pth" if batch else f"epoch_{epoch}.pth"


def snapshots(folder: str | Path) -> list[Path]:
    """Return the checkpoints of a run from the oldest to the newest, by their position."""
    return sorted(
        (path for path in Path(folder).glob("epoch_*.pth") if _SNAPSHOT.fullmatch(path.name)),
        key=_position,
    )


def _position(path: Path) -> tuple[int, int]:
    match = _SNAPSHOT.fullmatch(path.name)
    assert match is not None
    return int(match[1]), int(match[2] or 0)


def load_latest(folder: str | Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the newest checkpoint of a run that can be read; None where there is none.

    A damaged file, such as a bad disk leaves it, is passed over with a warning.

    Raises:
        CheckpointError: there are checkpoints, but none can be read.
    """
    newest_first = snapshots(folder)[::-1]
    problems = []
    for path in newest_first:
        try:
            return path, load(path)
        except CheckpointError as error:
            logger.warning("passed over: %s", error)
            problems.append(str(error))
    if problems:
        raise CheckpointError("no checkpoint can be read:\n" + "\n".join(problems))
    return None


def find_run(
    folder: str | Path, path: str | Path | None = None
) -> tuple[Path, dict[str, Any]] | None:
    """Return the checkpoint to resume a run from.

    Args:
        folder: the run's work dir.
        path: the checkpoint; None: the newest of the folder, if it has one.

    Raises:
        CheckpointError: there is no such file, it is damaged, it holds only weights, or later
            ones stand beside it.
    """
    if path is None:
        return load_latest(folder)
    path = Path(path)
    content = load(path)
    if "position" not in content:
        raise CheckpointError(
            f"{path} holds the weights alone, not the state of a run: it cannot be resumed. "
            "The checkpoints epoch_*.pth beside it can."
        )
    position = (content["position"]["epoch"], content["position"]["batch"])
    own = snapshots(folder)
    if own and path.resolve().parent == Path(folder).resolve() and position < _position(own[-1]):
        raise CheckpointError(
            f"{path} is older than {own[-1].name} beside it. Remove the later checkpoints and "
            f"{BEST}, or go on from it in another work dir."
        )
    return path, content


def claim(folder: str | Path, resumed_from: Path | None, overwrite: bool) -> None:
    """Make sure that a work dir is free for a run.

    Args:
        folder: the run's work dir; made where it is missing.
        resumed_from: checkpoint that the run goes on from; one in the folder owns it already.
        overwrite: whether an earlier run may be thrown away.

    Raises:
        CheckpointError: it holds an earlier run, or cannot be made.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"the work dir {folder} cannot be made: {error.strerror or error}"
        ) from error
    for pattern in _LEFTOVERS:
        for leftover in folder.glob(pattern):
            leftover.unlink(missing_ok=True)
    if resumed_from is not None and resumed_from.resolve().parent == folder.resolve():
        return
    old = [*snapshots(folder), *folder.glob(BEST)]
    if old and not overwrite:
        raise CheckpointError(
            f"{folder} holds a run already ({old[0].name}). Go on with it (--resume), choose "
            "another work dir, or throw it away (--overwrite)."
        )
    for path in [*old, *(path for pattern in _RESULTS for path in folder.glob(pattern))]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def result(folder: str | Path) -> Path:
    """Return the checkpoint that is a run's result: the best one, else the last one.

    Raises:
        CheckpointError: there is none.
    """
    best = Path(folder) / BEST
    if best.is_file():
        return best
    saved = snapshots(folder)
    if not saved:
        raise CheckpointError(f"{folder} has no checkpoint.")
    return saved[-1]
