"""Checkpoints: plain containers and tensors, written whole, read with ``weights_only=True``.

A checkpoint of a run holds all that the run needs to go on as if it had never stopped; the best
checkpoint of a run holds the weights that were measured, without the state of the training.
"""

from __future__ import annotations

import dataclasses
import pickle
import re
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcreg.errors import CheckpointError, DlcregError
from dlcreg.files import written_whole

FORMAT = 1
"""Version of the layout of the file."""

_SUFFIXES = (".pth", ".pt", ".ckpt")


def save(path: str | Path, checkpoint: Mapping[str, Any]) -> Path:
    """Write a checkpoint whole.

    Args:
        path: the file's name.
        checkpoint: containers, numbers, strings and tensors; see `plain`.

    Raises:
        CheckpointError: the file cannot be written, or something in it is not plain.
    """
    path = Path(path)
    content = {"format": FORMAT, **checkpoint}
    content = {key: plain(value, key) for key, value in content.items()}
    try:
        with written_whole(path) as temporary:
            torch.save(content, temporary)
    except DlcregError as error:
        raise CheckpointError(f"{error}. Earlier checkpoints are whole.") from error
    except RuntimeError as error:  # what torch's writer says on a full disk
        free = shutil.disk_usage(path.parent).free / 2**20
        raise CheckpointError(
            f"{path} cannot be written; its disk has {free:.0f} MiB left ({first_line(error)}). "
            "Make room and go on with --resume: earlier checkpoints are whole."
        ) from error
    return path


def is_checkpoint(source: Any) -> bool:
    """Return whether something is a path that ends as those of checkpoints do."""
    return isinstance(source, (str, Path)) and Path(source).suffix.lower() in _SUFFIXES


def load(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint of dlcreg.

    Args:
        path: the file.
        map_location: device of the tensors.

    Raises:
        CheckpointError: there is no such file, or it is damaged or of another kind.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder: give a checkpoint. {_checkpoints_in(path)}")
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}.")
    try:
        with warnings.catch_warnings():
            # An unusual pickle protocol: what cannot be read raises all the same.
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            content = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged, or was not written by dlcreg: only tensors and plain containers "
            "are read."
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {first_line(error)}") from error
    except Exception as error:  # torch takes any file for a pickle, whose bytes may say anything
        raise CheckpointError(
            f"{path} is no checkpoint, or is damaged: torch cannot read it ({first_line(error)})."
        ) from error
    if not isinstance(content, dict) or "model" not in content or "format" not in content:
        raise CheckpointError(
            f"{path} is no checkpoint of dlcreg: it lacks 'format' and 'model'. Weights of other "
            "programs are given to a backbone as weights=..., or to load_published()."
        )
    if content["format"] > FORMAT:
        raise CheckpointError(
            f"{path} was written by dlcreg {content.get('dlcreg')}, newer than this one: "
            f"it has format {content['format']}, and {FORMAT} is known here. Upgrade dlcreg."
        )
    return content


def _checkpoints_in(folder: Path) -> str:
    """Return the line that names the checkpoints of a folder."""
    names = [path.name for path in folder.iterdir() if is_checkpoint(path)]
    names.sort(key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)])
    return f"It holds {', '.join(names)}." if names else "It holds none."


def plain(value: Any, where: str = "checkpoint") -> Any:
    """Return `value` in the containers that load without running code from the file.

    Mappings and dataclasses become dicts, NumPy's scalars numbers, NumPy's arrays tensors, paths
    strings, and classes their import paths ``module:Class``.

    Raises:
        CheckpointError: something is neither a container, a number, a string nor a tensor.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value if type(value) in (type(None), bool, int, float, str) else _builtin(value)
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, Mapping):
        return {plain(k, where): plain(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(item, f"{where}[{index}]") for index, item in enumerate(value))
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item, where) for item in value)
    if isinstance(value, Sequence):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return torch.from_numpy(np.array(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value), where)
    raise CheckpointError(
        f"{where} cannot be saved: it is a {type(value).__module__}.{type(value).__qualname__}. "
        "The state of a hook or a scheduler is made of dicts, lists, numbers, strings and tensors."
    )


def _builtin(value: Any) -> Any:
    """Return a subclass of a number or of str as the number or str itself."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def weights_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights to predict with: those that validation measures, where they are others."""
    return dict(checkpoint.get("evaluated") or checkpoint["model"])


def load_weights(model: nn.Module, state: Mapping[str, Tensor], source: str = "") -> None:
    """Load weights that must fit the model wholly.

    Args:
        model: takes the weights.
        state: tensors by parameter name.
        source: where they come from, for the message.

    Raises:
        CheckpointError: names or shapes do not fit; all of them are listed.
    """
    own = model.state_dict()
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    misshaped = [
        f"{name} is {tuple(state[name].shape)}, the model wants {tuple(own[name].shape)}"
        for name in own
        if name in state and own[name].shape != state[name].shape
    ]
    if missing or unexpected or misshaped:
        lines = [f"the weights{f' of {source}' if source else ''} do not fit the model:"]
        lines += _listed("missing in the weights", missing)
        lines += _listed("unknown to the model", unexpected)
        lines += _listed("of another shape", misshaped)
        lines.append("Build the model from the config that stands beside the checkpoint.")
        raise CheckpointError("\n".join(lines))
    model.load_state_dict(dict(state))


def _listed(title: str, names: Sequence[str], most: int = 10) -> list[str]:
    if not names:
        return []
    more = [f"    ... and {len(names) - most} more"] if len(names) > most else []
    return [f"  {title} ({len(names)}):", *(f"    {name}" for name in names[:most]), *more]


def first_line(error: BaseException) -> str:
    """Return what an error of another library says first."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
