"""Reading weights from files and the network, and putting them into a module."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dlcreg.errors import CheckpointError

_WRAPPERS = ("state_dict", "model", "model_state_dict")
_SHOWN = 10


def read_state(source: str | Path | Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name, on the CPU.

    Wrappers (``{"state_dict": ...}``, ``{"model": ...}``) are opened, and the ``module.`` that
    DataParallel puts before every name is taken off.

    Args:
        source: path or http(s) address of a file that torch.save wrote, path of a
            ``.safetensors`` file, or a dict of tensors or arrays. Files are read with
            ``weights_only=True``.

    Raises:
        CheckpointError: the file is missing or unreadable, the network cannot be reached, or there
            are no tensors in it.
    """
    if isinstance(source, Mapping):
        content, name = source, "the dict"
    elif _is_address(source):
        content, name = _download(str(source)), str(source)
    else:
        content, name = _read_file(Path(source)), str(source)
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{name} holds a {type(content).__name__}, not tensors by name")
    state = {
        str(key): torch.as_tensor(value)
        for key, value in content.items()
        if isinstance(value, (Tensor, np.ndarray, np.generic))
    }
    if not state:
        keys = ", ".join(map(str, list(content)[:_SHOWN])) or "nothing"
        raise CheckpointError(f"{name} holds no tensors by name. It has: {keys}")
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return state


def look_for(source: str | Path) -> None:
    """Raise a `CheckpointError` if `source` is a file that is not there; read nothing."""
    if not _is_address(source) and not Path(source).is_file():
        raise CheckpointError(f"there is no file {source}")


def load_state(
    module: nn.Module,
    state: Mapping[str, Tensor],
    *,
    name: str,
    ignore: Iterable[str] = (),
    new: Iterable[str] = (),
) -> None:
    """Put tensors into a module; whatever does not fit is an error.

    Args:
        module: is changed in place, or left as it was where this raises.
        state: tensors by the module's names.
        name: what the tensors are, for messages.
        ignore: prefixes of names in `state` that the module has no use for.
        new: prefixes of names in the module that are to keep their fresh values.

    Raises:
        CheckpointError: names are missing, unexpected or of another shape, or tensors are not
            finite, with the list.
    """
    ignore, new = tuple(ignore), tuple(new)
    own = module.state_dict()
    wanted = {key for key in own if not key.startswith(new)} if new else set(own)
    given = {key: value for key, value in state.items() if not (new and key.startswith(new))}
    # Files from before batch normalisation counted its steps lack the counters.
    missing = [k for k in wanted if k not in given and not k.endswith("num_batches_tracked")]
    extra = [k for k in given if k not in own and not (ignore and k.startswith(ignore))]
    misfit = [
        f"{key} {tuple(given[key].shape)}, the model has {tuple(own[key].shape)}"
        for key in own
        if key in given and key in wanted and given[key].shape != own[key].shape
    ]
    problems = [("missing", sorted(missing)), ("unexpected", extra), ("of another shape", misfit)]
    broken = [k for k in given if k in wanted and not given[k].isfinite().all()]
    problems.append(("with NaN or infinite values", broken))
    if any(names for _, names in problems):
        lines = [f"{name} does not fit {type(module).__name__}:"]
        lines += [f"  {len(names)} {what}: {_some(names)}" for what, names in problems if names]
        raise CheckpointError("\n".join(lines))
    module.load_state_dict({k: v for k, v in given.items() if k in wanted}, strict=False)


def rename(state: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """Return `state` with the longest prefix that fits each name replaced.

    Args:
        state: tensors by name.
        prefixes: old prefix to new prefix; ``""`` fits every name.
    """
    ordered = sorted(prefixes, key=len, reverse=True)

    def renamed(key: str) -> str:
        old = next((p for p in ordered if key.startswith(p)), None)
        return key if old is None else prefixes[old] + key[len(old) :]

    return {renamed(key): value for key, value in state.items()}


def on_meta(module: nn.Module) -> bool:
    """Return whether a module has shapes only, as in the check of a config."""
    return any(parameter.is_meta for parameter in module.parameters())


def _is_address(source: str | Path) -> bool:
    return str(source).startswith(("http://", "https://"))


def _some(names: list[str]) -> str:
    rest = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest


def _read_file(path: Path) -> Any:
    look_for(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            # An unusual pickle protocol: what cannot be read raises all the same.
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch takes any file for a pickle, whose bytes may say anything
        reason = str(error).strip().split("\n")[0][:200]
        if isinstance(error, pickle.UnpicklingError):  # torch advises to run what the file holds
            reason = "it is no such file"
        raise CheckpointError(
            f"{path} cannot be read as weights: {reason or type(error).__name__}. It must be a "
            "file of torch.save with tensors and plain containers only, or a .safetensors file."
        ) from error


def _download(url: str) -> Any:
    try:
        return torch.hub.load_state_dict_from_url(
            url, map_location="cpu", progress=False, weights_only=True
        )
    except (URLError, OSError, TimeoutError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise CheckpointError(
            f"{url} cannot be downloaded ({error}). Without a network: download it elsewhere and "
            f"copy it to {folder}, or set weights to the path of the file, or to None to start "
            "from random weights."
        ) from error
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise CheckpointError(f"what {url} gave is not a file of weights: {error}") from error
