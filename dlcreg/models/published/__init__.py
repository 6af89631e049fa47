"""Published models by name, and their weights as they are.

```python
model = dlcreg.load_published("hrnet_w32_256x192", "pose_hrnet_w32_256x192.pth", num_keypoints=12)
```
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from torch import Tensor

from dlcreg.contracts import Codec, Loss
from dlcreg.errors import CheckpointError, ConfigError
from dlcreg.models.pose_model import PoseModel
from dlcreg.models.published import (
    buctd,
    deeplabcut,
    deeplabcut_conditioned,
    deeplabcut_paf,
    dekr,
    dlcrnet,
    rtmpose,
    tokenpose,
    top_down,
    transpose,
    vitpose,
)
from dlcreg.models.published.entry import Published
from dlcreg.models.weights import load_state, read_state
from dlcreg.registry import MODELS
from dlcreg.wiring import construct

PUBLISHED: dict[str, Published] = {
    **buctd.MODELS,
    **deeplabcut.MODELS,
    **deeplabcut_conditioned.MODELS,
    **deeplabcut_paf.MODELS,
    **dekr.MODELS,
    **dlcrnet.MODELS,
    **rtmpose.MODELS,
    **tokenpose.MODELS,
    **top_down.MODELS,
    **transpose.MODELS,
    **vitpose.MODELS,
}
"""All published models by name."""


def list_published(pattern: str = "*") -> list[str]:
    """Return the names that `load_published` takes, such as ``hrnet_w32_256x192``.

    Args:
        pattern: wildcards as in file names, such as ``"hrnet*"``.
    """
    return [name for name in PUBLISHED if fnmatchcase(name, pattern)]


def published_config(name: str) -> dict[str, Any]:
    """Return a published model as the ``model`` section of a config.

    Raises:
        ConfigError: there is no such model.
    """
    return copy.deepcopy(dict(_entry(name).model))


def load_published(
    name: str,
    checkpoint: str | Path | Mapping[str, Any] | None,
    *,
    num_keypoints: int | None = None,
    flip_pairs: Sequence[tuple[int, int]] | None = None,
    codec: Codec | Mapping[str, Any] | None = None,
    losses: Mapping[str, Loss | Mapping[str, Any]] | None = None,
) -> PoseModel:
    """Return a published model with its weights, ready to predict or to train further.

    Args:
        name: see `list_published`; the size in it is the input size, height first.
        checkpoint: original file of weights, path or address, or a dict of its tensors or arrays;
            None for random weights.
        num_keypoints: number of keypoints. None: as many as the checkpoint has, or the published
            model. With another number than the checkpoint's the last layer is new and all else is
            loaded.
        flip_pairs: pairs of left and right keypoints. None: those of the published model for its
            own number of keypoints, else none.
        codec: makes targets and poses, as an object or a config; None: the original's.
        losses: by output, likewise; None: the original's.

    Raises:
        ConfigError: there is no such model, no keypoint, or the parts do not fit one another.
        CheckpointError: the checkpoint cannot be read or does not fit; what is wrong is listed.
    """
    if num_keypoints is not None and num_keypoints < 1:
        raise ConfigError(f"num_keypoints={num_keypoints}: give 1 or more, or None.")
    entry = _entry(name)
    cfg = published_config(name)
    if codec is not None:
        cfg["head"]["codec"] = codec
    if losses is not None:
        cfg["head"]["losses"] = losses
    state: dict[str, Tensor] = {}
    trained = None
    if checkpoint is not None:
        state = entry.renamed(read_state(checkpoint))
        trained = _keypoints_of(entry, state, name)
        if codec is None and entry.untold and (untold := entry.untold(trained)):
            raise ConfigError(f"{name}: {untold}")
    count = num_keypoints or trained or entry.num_keypoints
    if flip_pairs is None:
        known = count == entry.num_keypoints and trained in (None, count)
        flip_pairs = entry.flip_pairs if known else ()
    wired = {
        "num_keypoints": count,
        "flip_pairs": tuple(flip_pairs),
        "input_size": entry.input_size,
        **entry.wired,
    }
    model: PoseModel = construct(MODELS, cfg, wired, path="model")
    if checkpoint is not None:
        new = ["head.codec."]  # what a codec chooses after the training no published file has
        new += ["head.further_layers."] if codec is not None else []
        new += entry.of_keypoints if trained != count else ()
        load_state(model, state, name=f"the checkpoint of {name}", new=new)
    return model


def _entry(name: str) -> Published:
    if name not in PUBLISHED:
        close = list_published(f"{name}*") or difflib.get_close_matches(name, PUBLISHED, n=1)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ConfigError(f"no published model {name!r}.{hint} Known: {', '.join(PUBLISHED)}.")
    return PUBLISHED[name]


def _keypoints_of(entry: Published, state: Mapping[str, Tensor], name: str) -> int:
    """Return the number of keypoints that a checkpoint was trained for."""
    tensor = state.get(entry.counted_by)
    if tensor is None:
        names = (
            old + entry.counted_by.removeprefix(new)
            for old, new in entry.prefixes.items()
            if entry.counted_by.startswith(new)
        )
        wanted = next(names, entry.counted_by)
        some = ", ".join(list(state)[:5])
        raise CheckpointError(f"the checkpoint has no {wanted}, as {name} has. It has: {some}, ...")
    return entry.keypoints_of(int(tensor.shape[0]))
